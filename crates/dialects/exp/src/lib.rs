//! The EXP network: devices, users and consumer apps that broadcast on channels, and collect what their listeners respond.
