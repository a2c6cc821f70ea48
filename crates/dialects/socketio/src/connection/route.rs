use std::rc::Rc;

use antiphon_engineio::{CloseReason, Conversation, Data, Link};
use antiphon_model::RawJson;
use bytes::Bytes;

use super::{Connection, Standing};
use crate::acks::{self, Ack, DIRECT_ACK_IDS};
use crate::arguments::EventArguments;
use crate::handler::{ConnectRefused, Event, EventName};
use crate::{
    AckData, AckId, Body, DecodeError, Decoder, DisconnectReason, EventData, Limits, Message, NamespaceName,
    Packet, Parser, Socket, Version, connect, emit, msgpack, queue,
};

/// What hears a client: its packets, one after the other, and where they go.
pub(crate) struct Talk {
    decoder: Decoder,
    connection: Rc<Connection>,
}

impl Talk {
    /// Begins to listen to a client.
    pub(crate) fn begin(connection: Rc<Connection>) -> Talk {
        let limits = connection.io().settings().limits();
        Talk { decoder: Decoder::new(connection.version(), limits), connection }
    }

    fn decode(&mut self, data: Data) -> Result<Option<Message>, DecodeError> {
        match (self.connection.parser(), data) {
            (Parser::Default, Data::Text(text)) => self.decoder.handle_text(&text.into_bytes()),
            (Parser::Default, Data::Binary(bytes)) => self.decoder.handle_binary(bytes),
            (Parser::Msgpack, Data::Text(_)) => Err(DecodeError::InvalidMsgpack),
            (Parser::Msgpack, Data::Binary(bytes)) => {
                let limits: Limits = self.connection.io().settings().limits();
                msgpack::decode(&bytes, self.connection.version(), &limits).map(Some)
            }
        }
    }
}

impl Conversation for Talk {
    fn handle_message(&mut self, data: Data, _link: &Link) {
        if self.connection.has_ended() {
            return;
        }
        self.connection.io().observe(|observer| {
            observer.received(match &data {
                Data::Text(text) => text.len(),
                Data::Binary(bytes) => bytes.len(),
            });
        });
        match self.decode(data) {
            Ok(Some(message)) => self.connection.handle_packet(message),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "a client sent what is no packet");
                self.connection.fail(DisconnectReason::ParseError);
            }
        }
    }

    fn handle_upgraded(&mut self, _link: &Link) {
        self.connection.handle_upgraded();
    }

    fn handle_closed(&mut self, reason: CloseReason, _link: &Link) {
        self.connection.handle_closed(reason.into());
    }
}

impl Connection {
    fn handle_packet(self: &Rc<Self>, message: Message) {
        let Message { packet: Packet { namespace, body }, attachments } = message;
        let Some(socket) = self.socket(&namespace) else {
            return self.handle_stranger(namespace, body);
        };
        match body {
            Body::Event { ack, data } | Body::BinaryEvent { ack, data, .. } => {
                self.handle_event(socket, ack, data, attachments);
            }
            Body::Ack { ack, data } | Body::BinaryAck { ack, data, .. } => {
                self.handle_ack(&socket, ack, &data, attachments);
            }
            Body::Disconnect => self.end(&socket, DisconnectReason::ClientNamespaceDisconnect),
            // A second CONNECT, or what only servers send.
            Body::Connect { .. } | Body::ConnectError { .. } => {
                self.fail(DisconnectReason::ForcedServerClose)
            }
        }
    }

    /// A packet for a namespace that the client is not connected to.
    fn handle_stranger(self: &Rc<Self>, namespace: NamespaceName, body: Body) {
        let standing =
            self.others.borrow().iter().find(|(name, _)| *name == namespace).map(|(_, found)| *found);
        match (body, standing) {
            (Body::Connect { query, payload }, None | Some(Standing::PutOut)) => {
                self.handle_connect(namespace, query.as_deref(), payload);
            }
            // Sent before the client knew that it is out.
            (Body::Event { .. } | Body::BinaryEvent { .. }, Some(Standing::PutOut))
            | (Body::Ack { .. } | Body::BinaryAck { .. } | Body::Disconnect, Some(Standing::PutOut)) => {}
            _ => self.fail(DisconnectReason::ForcedServerClose),
        }
    }

    fn handle_connect(self: &Rc<Self>, name: NamespaceName, query: Option<&str>, payload: Option<RawJson>) {
        let connecting =
            self.others.borrow().iter().filter(|(_, standing)| *standing == Standing::Connecting).count();
        if self.members.borrow().len() + connecting >= self.io().settings().namespaces_per_connection_max {
            let refused = ConnectRefused::new("Too many namespaces");
            return connect::refuse(self, name, &refused);
        }
        let auth = match self.version() {
            Version::V4 => Some(connect::auth_of_query(query.unwrap_or_default())),
            Version::V5 => payload,
        };
        connect::begin(self, name, auth);
    }

    fn handle_event(
        self: &Rc<Self>,
        socket: Socket,
        ack: Option<AckId>,
        data: EventData,
        attachments: Vec<Bytes>,
    ) {
        let arguments = EventArguments::from_event(&data, attachments);
        let ack = ack.map(|id| Ack::new(socket.clone(), id));
        let name = EventName::of(data);
        let event = Event { socket: socket.clone(), name, arguments, ack };
        queue::handle_event(&socket, self, event);
    }

    fn handle_ack(self: &Rc<Self>, socket: &Socket, id: AckId, data: &AckData, attachments: Vec<Bytes>) {
        if id.value() < DIRECT_ACK_IDS {
            acks::handle_ack(socket, id, data, attachments);
        } else {
            let arguments = EventArguments::from_ack(data, attachments);
            emit::handle_broadcast_ack(socket, self, id, arguments);
        }
    }
}
