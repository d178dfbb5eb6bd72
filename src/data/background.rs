//! Opening a data set on a thread of its own, so that a window goes on drawing meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use super::{DataConfig, DataError, Feed};
use crate::i18n::tr;

/// A feed that is being opened.
pub struct Opening {
    answer: Receiver<Result<Arc<Feed>, DataError>>,
}

/// Opens what `config` asks for; `base` is the project file's folder. `wake` is called from the
/// thread when the answer is there.
pub fn open_in_background(
    config: DataConfig,
    base: PathBuf,
    wake: impl FnOnce() + Send + 'static,
) -> Opening {
    let (sender, answer) = channel();
    let failed = sender.clone();
    let work = move || {
        // Nobody waits any more if the window has turned to other data.
        let _ = sender.send(Feed::open(&config, &base).map(Arc::new));
        wake();
    };
    let spawned = std::thread::Builder::new()
        .name("data".to_owned())
        .spawn(work);
    if let Err(error) = spawned {
        let message = error.to_string();
        let _ = failed.send(Err(DataError::Panic { message }));
    }
    Opening { answer }
}

impl Opening {
    /// The answer, once it is there.
    pub fn poll(&self) -> Option<Result<Arc<Feed>, DataError>> {
        match self.answer.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            // The thread died without an answer.
            Err(TryRecvError::Disconnected) => {
                let message = tr("the data could not be opened", "无法打开数据").to_owned();
                Some(Err(DataError::Panic { message }))
            }
        }
    }
}
