use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;

use antiphon_socketio as core;
use antiphon_socketio::{ConnectRefused, Outcome};

use super::arity::for_each_arity;
use super::{Deferred, Immediate};
use crate::shared::Shared;
use crate::{Context, ExtractError, FromSocket};

/// What is decided about a socket that asks to be let into a namespace.
type Admission = Result<(), ConnectRefused>;

/// A function that lets a socket into a namespace or refuses it: up to eight extractors for arguments, async or not.
///
/// See [`FromSocket`] for what it may ask for. `()` and `Ok(())` let the socket in. With an error it is refused: the client finds
/// what the error displays in its `connect_error`'s `message`, and the data of a [`ConnectRefused`] in its `data`. A socket is
/// also refused where an extractor fails: [`Auth`](crate::Auth)`<T>` checks the form of `auth` by itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a middleware of a namespace",
    label = "not a middleware",
    note = "a middleware is a function of at most eight extractors: `|socket: Socket, Auth(login): Auth<Login>|`",
    note = "every argument needs its type written out, and has to be an extractor that implements `FromSocket`: there is no `Data` \
            and no `Ack` here",
    note = "it gives back `()`, a `Result<(), _>` whose error implements `Display`, or a future of one"
)]
pub trait Middleware<Marker>: Send + Sync + 'static {
    /// Decides about a socket.
    fn call(&self, context: Context<'_>) -> Outcome<Admission>;
}

/// What a middleware may give back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that a middleware can give back",
    label = "neither `()` nor a `Result<(), _>`",
    note = "the error of the `Result` has to implement `Display`: a string will do, `ConnectRefused` has data as well"
)]
pub trait IntoAdmission {
    /// Whether the socket is let in.
    ///
    /// # Errors
    /// It is refused.
    fn into_admission(self) -> Result<(), ConnectRefused>;
}

impl IntoAdmission for () {
    fn into_admission(self) -> Admission {
        Ok(())
    }
}

impl<E: Display + 'static> IntoAdmission for Result<(), E> {
    fn into_admission(self) -> Admission {
        self.map_err(|error| match (&error as &dyn Any).downcast_ref::<ConnectRefused>() {
            Some(refused) => refused.clone(),
            None => ConnectRefused::new(error.to_string()),
        })
    }
}

/// A middleware as the core has it.
pub(crate) fn middleware<M, H: Middleware<M>>(middleware: H, shared: &Arc<Shared>) -> core::Middleware {
    let shared = Arc::clone(shared);
    Arc::new(move |socket| middleware.call(Context::new(&socket, &shared)))
}

fn refuse(error: &ExtractError) -> Outcome<Admission> {
    if let ExtractError::State(_) | ExtractError::Extension(_) = error {
        tracing::error!(%error, "a middleware asks for what is not there");
    }
    Outcome::Ready(Err(ConnectRefused::new(error.public())))
}

macro_rules! implement {
    ($($argument:ident),*) => {
        #[allow(non_snake_case, unused_variables)]
        impl<Function, Given, $($argument),*> Middleware<(Immediate, $($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Given + Send + Sync + 'static,
            Given: IntoAdmission,
            $($argument: FromSocket,)*
        {
            fn call(&self, context: Context<'_>) -> Outcome<Admission> {
                $(let $argument = match $argument::from_socket(&context) {
                    Ok(value) => value,
                    Err(error) => return refuse(&error),
                };)*
                Outcome::Ready(self($($argument),*).into_admission())
            }
        }

        #[allow(non_snake_case, unused_variables)]
        impl<Function, Awaited, $($argument),*> Middleware<(Deferred, $($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Awaited + Send + Sync + 'static,
            Awaited: Future<Output: IntoAdmission> + 'static,
            $($argument: FromSocket,)*
        {
            fn call(&self, context: Context<'_>) -> Outcome<Admission> {
                $(let $argument = match $argument::from_socket(&context) {
                    Ok(value) => value,
                    Err(error) => return refuse(&error),
                };)*
                let future = self($($argument),*);
                Outcome::pending(async move { future.await.into_admission() })
            }
        }
    };
}

for_each_arity!(implement);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_their_data_and_other_errors_are_messages() {
        assert!(().into_admission().is_ok());
        let refused = ConnectRefused::new("no").with_data(&1);
        assert_eq!(Err::<(), _>(refused.clone()).into_admission(), Err(refused));
        assert_eq!(Err::<(), _>("no").into_admission(), Err(ConnectRefused::new("no")));
    }
}
