//! Functions as methods: their parameters are read from the call's arguments, each by its own type.

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::arguments::{Arguments, Part};
use crate::error::Result;
use crate::forge::Forge;

/// A method's function behind one face.
pub(super) type Run =
    Box<dyn Fn(Forge, &Map<String, Value>) -> Result<BoxFuture<'static, Result<Answer>>> + Send + Sync>;

/// An async function of a forge and up to four groups of arguments, whose result is an answer.
pub(crate) trait Handler<Parts>: Send + Sync + 'static {
    /// What it takes.
    fn arguments() -> Arguments;

    /// Reads the arguments and begins.
    ///
    /// # Errors
    /// For the first bad argument.
    fn run(&self, forge: Forge, arguments: &Map<String, Value>)
    -> Result<BoxFuture<'static, Result<Answer>>>;
}

pub(super) fn boxed<P, H: Handler<P>>(handler: H) -> Run {
    Box::new(move |forge, arguments| handler.run(forge, arguments))
}

macro_rules! handler {
    ($($part:ident)*) => {
        impl<F, Work, T, $($part),*> Handler<($($part,)*)> for F
        where
            F: Fn(Forge, $($part),*) -> Work + Send + Sync + 'static,
            Work: Future<Output = Result<T>> + Send + 'static,
            T: Into<Answer> + 'static,
            $($part: Part,)*
        {
            fn arguments() -> Arguments {
                Arguments::default()$(.with::<$part>())*
            }

            fn run(&self, forge: Forge, arguments: &Map<String, Value>) -> Result<BoxFuture<'static, Result<Answer>>> {
                let _ = arguments;
                let work = self(forge, $(kit::read::<$part>(arguments)?),*);
                Ok(Box::pin(async move { work.await.map(Into::into) }))
            }
        }
    };
}

handler!();
handler!(A);
handler!(A B);
handler!(A B C);
handler!(A B C D);
