use std::sync::Arc;

use smallvec::SmallVec;

use crate::SocketId;

/// One room or several, as strings. A socket's id is the name of its own room.
pub trait Rooms {
    /// Their names.
    fn into_rooms(self) -> SmallVec<[Arc<str>; 2]>;
}

macro_rules! one_room {
    ($($kind:ty),*) => {$(
        impl Rooms for $kind {
            fn into_rooms(self) -> SmallVec<[Arc<str>; 2]> {
                SmallVec::from_iter([Arc::from(AsRef::<str>::as_ref(&self))])
            }
        }
    )*};
}

one_room!(&str, String, &String, &Arc<str>);

macro_rules! several_rooms {
    ($([$($generics:tt)*] $kind:ty;)*) => {$(
        impl<$($generics)*> Rooms for $kind {
            fn into_rooms(self) -> SmallVec<[Arc<str>; 2]> {
                self.iter().map(|room| Arc::from(room.as_ref())).collect()
            }
        }
    )*};
}

several_rooms! {
    [T: AsRef<str>] Vec<T>;
    [T: AsRef<str>] &Vec<T>;
    [T: AsRef<str>] &[T];
    [T: AsRef<str>, const N: usize] [T; N];
    [T: AsRef<str>, const N: usize] &[T; N];
}

impl Rooms for Arc<str> {
    fn into_rooms(self) -> SmallVec<[Arc<str>; 2]> {
        SmallVec::from_iter([self])
    }
}

impl Rooms for &SocketId {
    fn into_rooms(self) -> SmallVec<[Arc<str>; 2]> {
        SmallVec::from_iter([self.to_shared()])
    }
}

impl Rooms for SocketId {
    fn into_rooms(self) -> SmallVec<[Arc<str>; 2]> {
        (&self).into_rooms()
    }
}

impl AsRef<str> for SocketId {
    fn as_ref(&self) -> &str {
        self
    }
}
