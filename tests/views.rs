//! The views, drawn without a display: what they say with and without a run, in both languages,
//! what a click asks for, and how long a frame takes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use layerlab::data::{DataConfig, Feed, Split, SplitName};
use layerlab::graph::{DataFacts, Facts, Inference, Node, NodeId, Phase, Shape, Value, infer};
use layerlab::gui::ViewKind;
use layerlab::gui::commands::CommandId;
use layerlab::gui::context::{Action, Ctx, Shown, View, next_serial};
use layerlab::gui::run::Run;
use layerlab::gui::views::{
    ConfusionView, CurvesView, DataView, MapsView, PredictView, TrainingBar, WeightsView,
};
use layerlab::i18n::{Lang, set_lang};
use layerlab::project::Project;
use layerlab::train::{Command, Ending, Evaluation, Event, Prediction, Progress, Snapshot};

/// The language is one for the whole program: tests that draw take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn(lang: Lang) -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(|error| error.into_inner());
    set_lang(lang);
    turn
}

/// Everything that a view reads, and what it asked for.
struct World {
    project: Project,
    inference: Inference,
    selection: BTreeSet<NodeId>,
    data: Option<Result<Feed, String>>,
    run: Run,
    example: (SplitName, usize),
    picture: Option<Shown>,
    asked: Vec<Action>,
    seconds: Vec<f64>,
}

impl World {
    fn new() -> Self {
        let text = include_str!("../projects/lenet-digits.ron");
        let mut project = Project::from_ron(text).unwrap();
        project.data = DataConfig {
            split: Split {
                validation: 200,
                test: 100,
                seed: 0,
            },
            ..DataConfig::default()
        };
        let feed = Feed::open(&project.data, Path::new(".")).unwrap();
        let facts = DataFacts::classified(feed.shape().to_vec(), 10);
        let facts = Facts {
            data: Some(facts),
            ..Facts::default()
        };
        let inference = infer(&project.graph, &facts);
        Self {
            project,
            inference,
            selection: BTreeSet::new(),
            data: Some(Ok(feed)),
            run: Run::default(),
            example: (SplitName::Validation, 3),
            picture: None,
            asked: Vec::new(),
            seconds: Vec::new(),
        }
    }

    fn select(mut self, names: &[&str]) -> Self {
        let nodes = self.project.graph.nodes().iter();
        self.selection = nodes
            .filter(|node| names.contains(&node.name.as_str()))
            .map(|node| node.id)
            .collect();
        self
    }

    /// A hundred thousand iterations, some of them spoilt, with evaluations and a snapshot of
    /// every node.
    fn trained(mut self) -> Self {
        let run = &mut self.run;
        run.begin();
        let notice = Some("no CUDA on this machine".to_owned());
        run.apply(Event::Started {
            iteration: 0,
            total: 120_000,
            device: "CPU, 2 threads".into(),
            notice,
        });
        for iteration in 1..=100_000u64 {
            let noise = ((iteration * 7919) % 1000) as f64 / 1000.0;
            let loss = match iteration % 20_000 {
                77 => f64::NAN,
                78 => f64::INFINITY,
                _ => 2.3 / (1.0 + iteration as f64 / 500.0) + 0.05 * noise,
            };
            let rate = if iteration > 60_000 { 0.005 } else { 0.01 };
            run.apply(Event::Iteration(Progress {
                iteration,
                stage: 0,
                loss,
                rate,
                examples: 64,
                seconds: 0.01,
            }));
            if iteration % 1000 == 0 {
                run.apply(Event::Evaluated(evaluation(
                    iteration,
                    SplitName::Validation,
                    200,
                    10,
                )));
            }
            if iteration == 60_000 {
                run.apply(Event::RateChanged {
                    iteration,
                    base_lr: 0.005,
                });
            }
        }
        let snapshot = snapshot(&self.project, &self.inference, self.example);
        self.run.set_snapshot(Arc::new(snapshot));
        self
    }

    fn draw(&mut self, ui: &mut egui::Ui, view: &mut dyn View) {
        let ctx = Ctx {
            project: &self.project,
            path: None,
            inference: &self.inference,
            selection: &self.selection,
            data: self
                .data
                .as_ref()
                .map(|data| data.as_ref().map_err(String::as_str)),
            run: &self.run,
            example: self.example,
            picture: self.picture.as_ref(),
        };
        let began = Instant::now();
        view.ui(ui, &ctx, &mut self.asked);
        self.seconds.push(began.elapsed().as_secs_f64());
    }
}

fn evaluation(iteration: u64, split: SplitName, examples: u32, classes: u32) -> Evaluation {
    let predictions = (0..examples).map(|index| Prediction {
        truth: index % classes,
        predicted: if index % 9 == 1 {
            (index + 3) % classes
        } else {
            index % classes
        },
        confidence: if index == 10 {
            f32::NAN
        } else {
            0.5 + (index % 50) as f32 / 100.0
        },
    });
    Evaluation {
        iteration,
        split,
        loss: Some(0.1),
        metrics: vec![("accuracy".into(), 0.9 + iteration as f64 / 2e6)],
        details: Default::default(),
        predictions: predictions.collect(),
        seconds: 0.2,
    }
}

fn random(dims: &[usize]) -> Tensor {
    Tensor::randn(0f32, 1f32, dims, &Device::Cpu).unwrap()
}

fn dims(shape: &Shape, batch: usize) -> Vec<usize> {
    (0..shape.rank())
        .map(|axis| shape.dim(axis).unwrap_or(batch))
        .enumerate()
        .map(|(axis, dim)| if axis == 0 { batch } else { dim })
        .collect()
}

fn snapshot(project: &Project, inference: &Inference, example: (SplitName, usize)) -> Snapshot {
    let mut snapshot = Snapshot {
        iteration: 100_000,
        split: Some(example.0),
        index: example.1,
        ..Snapshot::default()
    };
    for node in project.graph.nodes() {
        let info = &inference.phase(Phase::Test).nodes[&node.id];
        let shapes = info.outputs.clone().unwrap();
        let value = |shape: &Shape| Value::Tensor(random(&dims(shape, 1)));
        let mut values: Vec<Value> = shapes.iter().map(value).collect();
        if node.name == "data" {
            values[1] = Value::Labels(Tensor::new(&[7u32], &Device::Cpu).unwrap());
        } else {
            snapshot
                .gradients
                .insert(node.name.clone(), random(&dims(&shapes[0], 8)));
        }
        snapshot
            .activations
            .insert(node.name.clone(), random(&dims(&shapes[0], 8)));
        snapshot.outputs.insert(node.name.clone(), values);
        for (key, spec) in &info.params {
            snapshot.weights.insert(key.clone(), random(&spec.shape));
            snapshot
                .weight_gradients
                .insert(key.clone(), random(&spec.shape));
        }
    }
    snapshot
}

/// A window of this size with the view in it, drawn until it is still.
fn window<'a, V: View + 'a>(world: World, view: V, size: [f32; 2]) -> Harness<'a, (World, V)> {
    let draw = |ui: &mut egui::Ui, (world, view): &mut (World, V)| world.draw(ui, view);
    let mut harness = Harness::builder()
        .with_size(size)
        .with_max_steps(60)
        .build_ui_state(draw, (world, view));
    harness.run_steps(4);
    harness
}

fn training_bar<'a>(world: World) -> Harness<'a, (World, TrainingBar)> {
    window(world, TrainingBar::default(), [900.0, 40.0])
}

fn click<T>(harness: &mut Harness<'_, T>, label: &str) {
    harness.get_by_label(label).click();
    harness.run_steps(2);
}

fn click_at<T>(harness: &mut Harness<'_, T>, at: egui::Pos2) {
    harness.hover_at(at);
    harness.drag_at(at);
    harness.drop_at(at);
    harness.run_steps(4);
}

/// All texts that a person can read or hear.
fn texts<T>(harness: &Harness<'_, T>) -> String {
    let nodes = harness.root().children_recursive();
    let text = nodes.flat_map(|node| {
        let node = node.accesskit_node();
        [node.label(), node.value()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    });
    text.collect::<Vec<_>>().join("\n")
}

const SIZES: [[f32; 2]; 4] = [
    [900.0, 500.0],
    [320.0, 400.0],
    [1600.0, 300.0],
    [60.0, 40.0],
];

/// Draws a view in all sizes and gives its texts in the first one.
fn seen<V: View + Default>(world: impl Fn() -> World) -> String {
    let mut first = None;
    for size in SIZES {
        let harness = window(world(), V::default(), size);
        first.get_or_insert_with(|| texts(&harness));
    }
    first.unwrap()
}

/// What a view says before the first run, and after a long one.
fn check<V: View + Default>(lang: Lang, select: &[&str], before: &[&str], after: &[&str]) {
    let _turn = turn(lang);
    let empty = seen::<V>(World::new);
    for text in before {
        assert!(
            empty.contains(text),
            "{lang:?}: “{text}” is not in\n{empty}"
        );
    }
    let full = seen::<V>(|| World::new().select(select).trained());
    for text in after {
        assert!(full.contains(text), "{lang:?}: “{text}” is not in\n{full}");
    }
}

#[test]
fn the_training_bar_speaks() {
    let after = [
        "Pause",
        "Stop",
        "learning rate",
        "0.01",
        "accuracy",
        "95.00 %",
        "CPU, 2 threads",
        "6400 images/s",
    ];
    check::<TrainingBar>(
        Lang::English,
        &[],
        &["Train", "Press Space to train"],
        &after,
    );
    check::<TrainingBar>(
        Lang::Chinese,
        &[],
        &["训练", "按空格键开始训练"],
        &["暂停", "停止", "学习率", "张/秒"],
    );
}

/// A mean absolute error is a number of its own and gets a plot of its own.
#[test]
fn an_error_is_no_percentage() {
    let _turn = turn(Lang::English);
    let world = || {
        let mut world = World::new();
        let layer = layerlab::layers::make("MeanAbsoluteError").unwrap();
        world.project.graph.add(Node::new("off", layer));
        world.run.begin();
        for iteration in [100, 200] {
            let mut evaluation = evaluation(iteration, SplitName::Validation, 0, 10);
            evaluation.metrics = vec![("accuracy".into(), 0.75), ("off".into(), 0.125)];
            world.run.apply(Event::Evaluated(evaluation));
        }
        world
    };
    let bar = seen::<TrainingBar>(world);
    assert!(bar.contains("75.00 %") && bar.contains("0.125"), "{bar}");
    assert!(!bar.contains("12.50 %"), "{bar}");
    let curves = seen::<CurvesView>(world);
    for name in ["accuracy, validation set", "off, validation set"] {
        assert!(curves.contains(name), "{curves}");
    }
}

#[test]
fn the_curves_speak() {
    let after = [
        "smoothing",
        "log axis",
        "training loss, smoothed",
        "loss, validation set",
        "accuracy, validation set",
        "learning rate",
    ];
    check::<CurvesView>(
        Lang::English,
        &[],
        &["No curves yet", "Press Space to train."],
        &after,
    );
    check::<CurvesView>(
        Lang::Chinese,
        &[],
        &["暂无曲线"],
        &["平滑", "训练损失（平滑）", "损失，验证集"],
    );
}

#[test]
fn the_maps_speak() {
    let select = ["data", "conv1", "ip2", "loss"];
    let after = [
        "label: ",
        "predicted: ",
        "conv1",
        "20 maps of ",
        "iteration 100",
        "outputs",
        "gradients",
        "7 · 7",
    ];
    check::<MapsView>(
        Lang::English,
        &select,
        &["Nothing computed yet", "Space"],
        &after,
    );
    check::<MapsView>(
        Lang::Chinese,
        &select,
        &["尚无计算结果"],
        &["标签：", "20 个 ", "特征图", "梯度"],
    );
    let _turn = turn(Lang::English);
    let nothing = seen::<MapsView>(|| World::new().trained());
    assert!(nothing.contains("No node selected"), "{nothing}");
}

#[test]
fn the_weights_speak() {
    let after = [
        "conv1.weight",
        "∂L/∂ conv1.weight",
        "output of conv1",
        "20 filters of 5 × 5",
        "mean ",
        "std ",
        "zeros 0.00 %",
        "numbers",
    ];
    check::<WeightsView>(Lang::English, &["conv1"], &["No weights yet"], &after);
    check::<WeightsView>(
        Lang::Chinese,
        &["conv1"],
        &["暂无权重"],
        &["conv1 的输出", "均值", "标准差", "滤波器"],
    );
    let _turn = turn(Lang::English);
    let chosen_for_them = seen::<WeightsView>(|| World::new().trained());
    assert!(
        chosen_for_them.contains("The first layer with weights"),
        "{chosen_for_them}"
    );
    assert!(
        chosen_for_them.contains("conv1.weight"),
        "{chosen_for_them}"
    );
}

#[test]
fn the_data_speak() {
    let texts = [
        "digits: 10 classes",
        "training set 9",
        "validation set 200",
        "test set 100",
        "all classes",
        "preprocessed",
    ];
    check::<DataView>(Lang::English, &[], &texts, &texts);
    check::<DataView>(
        Lang::Chinese,
        &[],
        &["digits：10 类", "验证集 200", "所有类别"],
        &["预处理后"],
    );
    let _turn = turn(Lang::English);
    let failed = seen::<DataView>(|| World {
        data: Some(Err("there is no such file".into())),
        ..World::new()
    });
    assert!(
        failed.contains("The data cannot be opened") && failed.contains("there is no such file"),
        "{failed}"
    );
    let waiting = seen::<DataView>(|| World {
        data: None,
        ..World::new()
    });
    assert!(waiting.contains("Opening the data…"), "{waiting}");
}

#[test]
fn the_confusion_speaks() {
    let after = [
        "accuracy 8",
        "200 examples of the validation set",
        "confusion matrix of 10 classes",
        "counts",
        "% of row",
    ];
    check::<ConfusionView>(Lang::English, &[], &["No predictions yet"], &after);
    check::<ConfusionView>(
        Lang::Chinese,
        &[],
        &["暂无预测结果"],
        &["准确率", "10 类的混淆矩阵"],
    );
}

#[test]
fn any_number_of_classes_makes_a_matrix() {
    let _turn = turn(Lang::English);
    for (classes, expected) in [
        (1, "of 10 classes"),
        (100, "of 100 classes"),
        (1024, "of 1024 classes"),
        (3000, "Too many classes"),
    ] {
        let world = || {
            let mut world = World::new();
            world.run.apply(Event::Evaluated(evaluation(
                5,
                SplitName::Test,
                classes,
                classes,
            )));
            world
        };
        let text = seen::<ConfusionView>(world);
        assert!(text.contains(expected), "{classes}: {text}");
    }
    let no_data = seen::<ConfusionView>(|| World {
        data: None,
        ..World::new().trained()
    });
    assert!(
        no_data.contains("confusion matrix of 10 classes"),
        "{no_data}"
    );
}

#[test]
fn strange_tensors_are_shown_as_far_as_they_go() {
    let _turn = turn(Lang::English);
    let strange = || {
        let mut world = World::new().select(&[
            "conv1", "pool1", "conv2", "pool2", "ip1", "relu1", "ip2", "accuracy",
        ]);
        let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
        let nan = |dims: &[usize]| zeros(dims).affine(f64::NAN, 0.0).unwrap();
        let tensors = BTreeMap::from([
            ("conv1", zeros(&[0, 3, 4, 4])),
            ("pool1", zeros(&[1, 3, 0, 4])),
            ("conv2", nan(&[1, 3, 4, 4])),
            ("pool2", random(&[1, 2, 3, 4, 5])),
            ("ip1", nan(&[1, 700])),
            ("relu1", zeros(&[1, 6, 9])),
            ("ip2", nan(&[1, 10])),
            ("accuracy", Tensor::new(f32::NAN, &Device::Cpu).unwrap()),
        ]);
        let mut snapshot = Snapshot::default();
        for (name, tensor) in tensors {
            snapshot
                .outputs
                .insert(name.into(), vec![Value::Tensor(tensor.clone())]);
            snapshot.activations.insert(name.into(), tensor.clone());
            snapshot.gradients.insert(name.into(), tensor.clone());
            snapshot.weights.insert(format!("{name}.weight"), tensor);
        }
        world.run.set_snapshot(Arc::new(snapshot));
        world.example = (SplitName::Test, 1_000_000);
        world
    };
    let maps = seen::<MapsView>(strange);
    for text in [
        "an empty tensor",
        "48 not finite",
        "700 not finite",
        "NaN",
        "there is no such example",
    ] {
        assert!(maps.contains(text), "“{text}” is not in\n{maps}");
    }
    let weights = seen::<WeightsView>(strange);
    assert!(weights.contains("not finite"), "{weights}");
    let view: MapsView = ron::from_str("(gradients: true, strip: true, zoom: 8.0)").unwrap();
    window(strange(), view, [500.0, 300.0]);
}

#[test]
fn a_run_of_bad_numbers_can_be_drawn() {
    let _turn = turn(Lang::English);
    for log in [false, true] {
        for values in [
            [f64::NAN; 3],
            [f64::INFINITY; 3],
            [0.0; 3],
            [-1.0, f64::NAN, f64::MAX],
            [1e-300, 1e300, 5.0],
        ] {
            let mut world = World::new();
            world.run.apply(Event::Started {
                iteration: 0,
                total: 0,
                device: String::new(),
                notice: None,
            });
            for (place, loss) in values.into_iter().enumerate() {
                let iteration = place as u64 + 1;
                world.run.apply(Event::Iteration(Progress {
                    iteration,
                    stage: 9,
                    loss,
                    rate: loss,
                    examples: 0,
                    seconds: f64::NAN,
                }));
            }
            world.run.apply(Event::RateChanged {
                iteration: 2,
                base_lr: f64::NAN,
            });
            let view: CurvesView = ron::from_str(&format!("(log: {log}, smoothing: 7.0)")).unwrap();
            window(world, view, [400.0, 300.0]);
        }
    }
}

#[test]
fn the_bar_asks_for_what_its_buttons_say() {
    let _turn = turn(Lang::English);
    let mut harness = training_bar(World::new());
    for name in ["Train", "One iteration, then pause", "Stop"] {
        click(&mut harness, name);
    }
    let asked = &harness.state().0.asked;
    assert!(
        matches!(
            asked[..],
            [
                Action::Run(CommandId::TrainOrPause),
                Action::Run(CommandId::Step)
            ]
        ),
        "a stop before the start asks for nothing"
    );
}

#[test]
fn the_rate_is_sent_when_it_is_entered_and_not_before() {
    let _turn = turn(Lang::English);
    let mut harness = training_bar(World::new().trained());
    harness.get_by_value("0.005").click();
    harness.run_steps(2);
    harness.event(egui::Event::Text("2e-3".into()));
    harness.run_steps(3);
    assert!(
        harness.state().0.asked.is_empty(),
        "while it is being typed"
    );
    harness.key_press(egui::Key::Enter);
    harness.run_steps(3);
    let asked = &harness.state().0.asked;
    assert!(
        matches!(asked[..], [Action::Train(Command::SetBaseRate(rate))] if rate == 2e-3),
        "{}",
        asked.len()
    );
}

#[test]
fn before_a_run_the_rate_is_the_projects() {
    let _turn = turn(Lang::English);
    let world = World::new();
    let old = world.project.stages[0].solver.base_lr;
    let mut harness = training_bar(world);
    harness.get_by_value(&format!("{old}")).click();
    harness.run_steps(2);
    harness.event(egui::Event::Text("0.125".into()));
    harness.key_press(egui::Key::Enter);
    harness.run_steps(3);
    let world = &mut harness.state_mut().0;
    let Some(Action::Edit { edit, .. }) = world.asked.pop() else {
        panic!("no edit")
    };
    edit(&mut world.project);
    assert_eq!(world.project.stages[0].solver.base_lr, 0.125);
}

#[test]
fn a_failure_says_why_and_leads_to_its_node() {
    let _turn = turn(Lang::English);
    let mut world = World::new().trained();
    let ending = Ending::Failed {
        iteration: 12,
        node: Some("conv2".into()),
        message: "the loss is NaN".into(),
    };
    world.run.apply(Event::Ended(ending));
    let conv2 = world.project.graph.named("conv2", Phase::Train).unwrap().id;
    let mut harness = training_bar(world);
    let text = "Failed: the loss is NaN";
    click(&mut harness, text);
    let asked = &harness.state().0.asked;
    assert!(
        matches!(asked[..], [Action::Reveal(id)] if id == conv2),
        "{}",
        asked.len()
    );
}

#[test]
fn a_map_grows_on_a_click_and_shrinks_on_escape() {
    let _turn = turn(Lang::English);
    let world = World::new().select(&["conv1"]).trained();
    let mut harness = window(world, MapsView::default(), [700.0, 500.0]);
    assert!(!texts(&harness).contains("all maps"));
    let map = harness.get_by_label_contains("20 maps of ").rect();
    let at = map.left_top() + egui::vec2(5.0, 5.0);
    click_at(&mut harness, at);
    assert!(
        texts(&harness).contains("← all maps"),
        "{}",
        texts(&harness)
    );
    harness.key_press(egui::Key::Escape);
    harness.run_steps(3);
    assert!(!texts(&harness).contains("all maps"));
}

#[test]
fn the_picker_walks_through_the_examples() {
    let _turn = turn(Lang::English);
    let mut harness = window(World::new(), MapsView::default(), [700.0, 500.0]);
    for name in ["←", "→", "random"] {
        click(&mut harness, name);
    }
    let shown: Vec<usize> = (harness.state().0.asked.iter())
        .map(|action| match action {
            Action::ShowExample(SplitName::Validation, index) => *index,
            _ => panic!("something else was asked for"),
        })
        .collect();
    assert_eq!(shown[..2], [2, 4]);
    assert!(shown[2] < 200);
}

#[test]
fn an_example_is_chosen_from_the_data() {
    let _turn = turn(Lang::English);
    let mut harness = window(World::new(), DataView::default(), [700.0, 500.0]);
    let Some(Ok(feed)) = &harness.state().0.data else {
        panic!("no data")
    };
    let label = feed.dataset().label(SplitName::Train, 5).unwrap();
    click(&mut harness, &format!("5 {label}"));
    assert!(matches!(
        harness.state().0.asked[..],
        [Action::ShowExample(SplitName::Train, 5)]
    ));
    click(&mut harness, "test set 100");
    let Some(Ok(feed)) = &harness.state().0.data else {
        panic!("no data")
    };
    let label = feed.dataset().label(SplitName::Test, 0).unwrap();
    assert!(harness.query_by_label(&format!("0 {label}")).is_some());
}

#[test]
fn a_cell_of_the_matrix_lists_its_mistakes() {
    let _turn = turn(Lang::English);
    let mut harness = window(
        World::new().trained(),
        ConfusionView::default(),
        [900.0, 600.0],
    );
    let matrix = harness
        .get_by_label("confusion matrix of 10 classes")
        .rect();
    // Truth 1, prediction 4: every ninth example from the second on, of label 1.
    let cell = matrix.width() / 10.0;
    let at = matrix.min + egui::vec2(4.5 * cell, 1.5 * cell);
    click_at(&mut harness, at);
    let all = texts(&harness);
    assert!(all.contains("3 of 1 taken for 4"), "{all}");
    let listed: Vec<usize> = [1, 91, 181]
        .into_iter()
        .filter(|index| {
            all.lines()
                .any(|line| line.starts_with(&format!("{index} ")) && line.ends_with(" %"))
        })
        .collect();
    assert_eq!(listed, [1, 91, 181]);
    click(&mut harness, "91 91.00 %");
    assert!(matches!(
        harness.state().0.asked[..],
        [Action::ShowExample(SplitName::Validation, 91)]
    ));
    click(&mut harness, "×");
    assert!(!texts(&harness).contains("taken for"));
}

#[test]
fn nothing_can_be_trained_while_something_is_in_the_way() {
    let _turn = turn(Lang::English);
    let world = World {
        data: Some(Err("the folder is empty".into())),
        ..World::new()
    };
    let mut harness = training_bar(world);
    click(&mut harness, "Train");
    assert!(harness.state().0.asked.is_empty());
    click(&mut harness, "the folder is empty");
    assert!(matches!(
        harness.state().0.asked[..],
        [Action::Open(ViewKind::Data)]
    ));
}

/// Prints the figures; a machine's speed is nothing to assert.
#[test]
fn frame_times_after_a_hundred_thousand_iterations() {
    let _turn = turn(Lang::English);
    fn measure<V: View + Default>(name: &str) {
        let world = World::new().select(&["conv1", "conv2", "ip2"]).trained();
        let mut harness = window(world, V::default(), [900.0, 600.0]);
        harness.state_mut().0.seconds.clear();
        harness.run_steps(200);
        let mut seconds = harness.state().0.seconds.clone();
        assert!(seconds.len() >= 200);
        seconds.sort_by(f64::total_cmp);
        let at = |part: usize| seconds[(seconds.len() - 1) * part / 100] * 1e3;
        println!(
            "{name}: median {:.3} ms, 99th percentile {:.3} ms",
            at(50),
            at(99)
        );
    }
    measure::<TrainingBar>("training bar");
    measure::<CurvesView>("curves");
    measure::<MapsView>("maps");
    measure::<WeightsView>("weights");
    measure::<DataView>("data");
    measure::<ConfusionView>("confusion matrix");
}

/// Time that this thread has had a processor, where the system says so: other programs' work does
/// not count.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

/// Every bench, each of its parts, in both languages: drawn, played, and quick enough for 60
/// frames a second.
#[test]
fn benches_are_drawn_and_played_within_a_frame() {
    use layerlab::gui::labs::Labs;
    use layerlab::labs::{BENCHES, Range, SHOW, Settings};
    let draw = |ui: &mut egui::Ui, (world, labs): &mut (World, Labs)| {
        let before = processor_seconds();
        world.draw(ui, labs);
        if let (Some(before), Some(after)) = (before, processor_seconds()) {
            world.seconds.pop();
            world.seconds.push(after - before);
        }
    };
    for lang in [Lang::English, Lang::Chinese] {
        let _turn = turn(lang);
        for bench in BENCHES {
            let show = bench.controls.iter().find(|control| control.key == SHOW);
            let parts = match show.map(|control| control.range) {
                Some(Range::Choice { options, .. }) => options.len(),
                _ => 1,
            };
            for part in 0..parts {
                let mut settings = Settings::of(bench);
                if show.is_some() {
                    settings.set(SHOW, part as f64);
                }
                let mut labs = Labs::default();
                labs.set(settings);
                labs.fills = true;
                let mut harness = Harness::builder()
                    .with_size([1100.0, 700.0])
                    .build_ui_state(draw, (World::new(), labs));
                harness.run_steps(4);
                let said = texts(&harness);
                assert!(said.contains(bench.title.get()), "{}", bench.id);
                assert!(said.contains(bench.takeaway.get()), "{}", bench.id);
                harness.key_press(egui::Key::Space);
                harness.run_steps(4);
                harness.state_mut().0.seconds.clear();
                harness.run_steps(20);
                // The system counts in ticks, so single frames say little and their sum much.
                let seconds = &harness.state().0.seconds;
                let mean = 1e3 * seconds.iter().sum::<f64>() / seconds.len() as f64;
                println!("{} {part}: {mean:.2} ms a frame", bench.id);
                if processor_seconds().is_some() {
                    assert!(mean <= 8.0, "{} {part}: {mean} ms", bench.id);
                }
            }
        }
    }
}

/// Waits for the answer of the worker beside the window.
fn answered<'a>(world: World) -> Harness<'a, (World, PredictView)> {
    let mut harness = window(world, PredictView::default(), [700.0, 500.0]);
    for _ in 0..300 {
        if texts(&harness).contains('%') {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        harness.run_steps(1);
    }
    harness
}

#[test]
fn a_picture_is_answered_with_bars_before_and_after_training() {
    let before = ["Show the network a picture", "Open image", "Paste", "Draw"];
    check::<PredictView>(Lang::English, &[], &before, &["Drop an image file"]);
    let before = ["给网络看一幅图像", "打开图像", "粘贴", "手绘"];
    check::<PredictView>(Lang::Chinese, &[], &before, &["把图像文件拖到窗口上"]);
    let _turn = turn(Lang::English);
    let with_picture = |mut world: World| {
        let Some(Ok(feed)) = &world.data else {
            panic!("no data")
        };
        let picture = feed.dataset().picture(SplitName::Test, 0).unwrap();
        world.picture = Some(Shown {
            picture: Arc::new(picture),
            name: "seven.png".to_owned(),
            serial: next_serial(),
        });
        world
    };
    let fresh = texts(&answered(with_picture(World::new())));
    assert!(
        fresh.contains("seven.png") && fresh.contains("28 × 28"),
        "{fresh}"
    );
    assert!(fresh.contains("not trained yet"), "{fresh}");
    assert_eq!(
        fresh.lines().filter(|line| line.contains('%')).count(),
        5,
        "{fresh}"
    );
    let trained = texts(&answered(with_picture(World::new().trained())));
    assert!(trained.contains("weights of iteration"), "{trained}");
}

#[test]
fn drawing_asks_the_network_at_once() {
    let _turn = turn(Lang::English);
    let mut harness = window(World::new(), PredictView::default(), [700.0, 500.0]);
    click(&mut harness, "Draw");
    assert!(harness.query_by_label("Clear").is_some());
    for _ in 0..300 {
        if texts(&harness).contains('%') {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        harness.run_steps(1);
    }
    panic!("{}", texts(&harness));
}
