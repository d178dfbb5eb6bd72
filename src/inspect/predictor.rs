//! What the network makes of one picture, computed on a thread of its own with the newest
//! weights.
//!
//! Requests are latest-only: one that comes while another is computed replaces whatever waits.
//! The worker keeps its compiled network until the graph changes, and ends with its handle.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use candle_core::Tensor;

use crate::graph::{Facts, Graph, Phase};
use crate::i18n::tr;
use crate::net::{ForwardOptions, Keep, Net, NetConfig, NetFeed};
use crate::train::{Classifier, Snapshot};

/// A network as a request names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    pub graph: Graph,
    pub facts: Facts,
    pub seed: u64,
    pub precise: bool,
}

/// A question to the worker.
#[derive(Clone, Debug)]
pub struct Request {
    pub subject: Arc<Subject>,
    /// The weights; without a snapshot those that training would begin with.
    pub weights: Option<Arc<Snapshot>>,
    /// Which weights these are, so that they are not set twice.
    pub serial: u64,
    /// The picture as the network sees it.
    pub input: Tensor,
    /// Which picture it is.
    pub picture: u64,
}

/// The worker's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub picture: u64,
    pub serial: u64,
    /// Finished iterations of training; `None` for weights as training begins with them.
    pub iteration: Option<u64>,
    /// Of every class.
    pub probabilities: Vec<f32>,
    /// For the walk through the network.
    pub seconds: f64,
}

/// The handle of the worker.
pub struct Predictor {
    requests: Sender<Request>,
    answers: Receiver<Result<Answer, String>>,
    waiting: usize,
}

impl Predictor {
    /// `wake` is called whenever an answer is there.
    pub fn start(wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let (requests, inbox) = channel::<Request>();
        let (outbox, answers) = channel();
        let work = move || {
            let mut worker = Worker::default();
            while let Ok(mut request) = inbox.recv() {
                let mut count = 1usize;
                while let Ok(newer) = inbox.try_recv() {
                    (request, count) = (newer, count + 1);
                }
                // Those that were passed over have the same answer.
                let answer = worker.answer(&request);
                for _ in 0..count {
                    if outbox.send(answer.clone()).is_err() {
                        return;
                    }
                }
                wake();
            }
        };
        std::thread::Builder::new()
            .name("predict".to_owned())
            .spawn(work)?;
        Ok(Self {
            requests,
            answers,
            waiting: 0,
        })
    }

    pub fn ask(&mut self, request: Request) {
        self.waiting += usize::from(self.requests.send(request).is_ok());
    }

    /// Whether an answer is still to come.
    pub fn is_busy(&self) -> bool {
        self.waiting > 0
    }

    /// The newest answer, once.
    pub fn newest(&mut self) -> Option<Result<Answer, String>> {
        let mut newest = None;
        while let Ok(answer) = self.answers.try_recv() {
            newest = Some(answer);
            self.waiting = self.waiting.saturating_sub(1);
        }
        newest
    }
}

#[derive(Default)]
struct Worker {
    compiled: Option<Compiled>,
}

struct Compiled {
    subject: Arc<Subject>,
    net: Net,
    /// Of the weights that the network has; 0 for those of the beginning.
    serial: u64,
}

impl Worker {
    fn answer(&mut self, request: &Request) -> Result<Answer, String> {
        let compiled = self.compiled(request).map_err(|error| error.to_string())?;
        let net = &compiled.net;
        let no_classes = || {
            tr(
                "This network gives no classes: nothing in it judges scores of classes.",
                "该网络不输出类别：其中没有判断类别得分的层。",
            )
            .to_owned()
        };
        let classifier = Classifier::find(net).ok_or_else(no_classes)?;
        let wanted = [classifier.scores.node.clone()];
        let options = ForwardOptions {
            keep: Keep::Only(wanted.clone().into()),
            until: Some(wanted.into()),
            ..ForwardOptions::default()
        };
        let begin = Instant::now();
        let pass = net
            .forward(
                Phase::Test,
                &NetFeed::only(request.input.clone(), net),
                options,
            )
            .map_err(|error| error.to_string())?;
        let scores = pass.value(net, &classifier.scores).ok_or_else(no_classes)?;
        let rows = classifier.probabilities(scores.tensor());
        let rows = rows.map_err(|error| error.to_string())?;
        let probabilities = rows.and_then(|rows| rows.into_iter().next());
        Ok(Answer {
            picture: request.picture,
            serial: request.serial,
            iteration: request.weights.as_ref().map(|weights| weights.iteration),
            probabilities: probabilities.ok_or_else(|| {
                tr(
                    "This network answers for every place of the picture; its feature maps show that.",
                    "该网络对图像的每个位置给出答案；请在特征图中查看。",
                )
                .to_owned()
            })?,
            seconds: begin.elapsed().as_secs_f64(),
        })
    }

    /// The network with the weights of the request.
    fn compiled(&mut self, request: &Request) -> Result<&Compiled, crate::net::NetError> {
        let fits = |compiled: &Compiled| {
            *compiled.subject == *request.subject
                // Weights of the beginning are gone once others were set.
                && (request.weights.is_some() || compiled.serial == 0)
        };
        let kept = self.compiled.take().filter(fits);
        let mut compiled = match kept {
            Some(compiled) => compiled,
            None => {
                let subject = &request.subject;
                let config = NetConfig {
                    seed: subject.seed,
                    precise: subject.precise,
                    ..NetConfig::default()
                };
                Compiled {
                    net: Net::compile(&subject.graph, &subject.facts, config)?,
                    subject: subject.clone(),
                    serial: 0,
                }
            }
        };
        if let Some(weights) = &request.weights
            && compiled.serial != request.serial
        {
            for (key, tensor) in &weights.weights {
                compiled.net.set_param(key, tensor.clone())?;
            }
            compiled.serial = request.serial;
        }
        Ok(self.compiled.insert(compiled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{DataFacts, Inputs, Node, PortRef};
    use crate::layers;
    use candle_core::{DType, Device};
    use std::time::Duration;

    fn subject() -> Arc<Subject> {
        let mut graph = Graph::default();
        graph.add(Node::new("data", layers::make("Data").unwrap()));
        let mut fc = Node::new("fc", layers::parse("InnerProduct(num_output: 3)").unwrap());
        fc.inputs = Inputs(vec![Some(PortRef::new("data", 0))]);
        graph.add(fc);
        let mut loss = Node::new("loss", layers::make("SoftmaxWithLoss").unwrap());
        loss.inputs = Inputs(vec![
            Some(PortRef::new("fc", 0)),
            Some(PortRef::new("data", 1)),
        ]);
        graph.add(loss);
        Arc::new(Subject {
            graph,
            facts: Facts {
                data: Some(DataFacts::classified(vec![1, 2, 2], 3)),
                ..Facts::default()
            },
            seed: 1,
            precise: false,
        })
    }

    fn wait(predictor: &mut Predictor) -> Result<Answer, String> {
        for _ in 0..500 {
            if let Some(answer) = predictor.newest().filter(|_| !predictor.is_busy()) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no answer")
    }

    #[test]
    fn answers_follow_the_newest_weights_and_pictures() {
        let mut predictor = Predictor::start(|| {}).unwrap();
        let ones = Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu).unwrap();
        let mut request = Request {
            subject: subject(),
            weights: None,
            serial: 0,
            input: ones.clone(),
            picture: 1,
        };
        for picture in 1..5 {
            predictor.ask(Request {
                picture,
                ..request.clone()
            });
        }
        let first = wait(&mut predictor).unwrap();
        assert_eq!((first.picture, first.iteration), (4, None));
        assert!((first.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let bias = Tensor::new(&[0f32, 50.0, 0.0], &Device::Cpu).unwrap();
        let weight = Tensor::zeros((3, 4), DType::F32, &Device::Cpu).unwrap();
        let snapshot = Snapshot {
            iteration: 7,
            weights: [
                ("fc.weight".to_owned(), weight),
                ("fc.bias".to_owned(), bias),
            ]
            .into(),
            ..Snapshot::default()
        };
        (request.weights, request.serial) = (Some(Arc::new(snapshot)), 9);
        predictor.ask(request.clone());
        let second = wait(&mut predictor).unwrap();
        assert_eq!((second.iteration, second.probabilities[1]), (Some(7), 1.0));
        // Without a snapshot the weights are those of the beginning again.
        (request.weights, request.serial) = (None, 0);
        predictor.ask(request.clone());
        assert_eq!(
            wait(&mut predictor).unwrap().probabilities,
            first.probabilities
        );
        request.input = Tensor::ones((1, 1, 5, 5), DType::F32, &Device::Cpu).unwrap();
        predictor.ask(request);
        assert!(wait(&mut predictor).is_err());
    }
}
