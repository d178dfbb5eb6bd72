//! Before deep learning: features made by hand and a linear classifier, beside a network on the
//! same images; and what was published, year by year.

pub mod features;
pub mod learned;
pub mod milestones;
pub mod pipeline;
pub mod svm;

use std::path::PathBuf;

use super::contest::{Contest, Entry};
use super::variants::example;
use super::{Bench, Chapter, Control, Figure, LabError, Settings};
use crate::i18n::Text;
use crate::train::{Priority, Solver, Stage};
use milestones::CHARTS;
use pipeline::{FEATURES, Images, Pipeline, config};

/// Gray values from 0 to 1, row by row, of a square.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pub side: usize,
    pub pixels: Vec<f32>,
}

impl Image {
    pub fn at(&self, y: usize, x: usize) -> f32 {
        self.pixels[y * self.side + x]
    }
}

pub const SHOWN: &[(&str, Text)] = &[
    (
        "pipeline",
        Text::new("Two steps against one network", "两步法与网络的较量"),
    ),
    ("features", Text::new("What features see", "特征看到了什么")),
    ("milestones", Text::new("Milestones", "里程碑")),
];

const DATA: &[(&str, Text)] = &[
    ("digits", Text::new("Digits", "手写数字")),
    ("fashion", Text::new("Fashion", "服饰")),
    ("textures", Text::new("Textures", "纹理")),
];

pub static BENCH: Bench = Bench {
    id: "classical",
    chapter: Chapter::History,
    title: Text::new("Before deep learning", "深度学习之前"),
    about: Text::new(
        "Recognition used to take two steps that knew nothing of each other: somebody designed features, and a linear classifier was trained on them. A network learns both together.",
        "识别曾分为互不相干的两步：人工设计特征，再在特征上训练线性分类器。而网络把两步放在一起学习。",
    ),
    what_to_try: Text::new(
        "Run all features on digits, then on fashion and on textures: which wins where? Look at what HOG and LBP keep of an image, and at the patches that the dictionary learned without labels.",
        "在数字、服饰和纹理上分别运行全部特征：各自谁胜出？看看 HOG 与 LBP 保留了图像的什么，以及字典在没有标签时学到的图块。",
    ),
    what_to_notice: Text::new(
        "Good features make a linear classifier strong, and which features are good depends on the task: LBP lives on texture, HOG on shape. The network finds its own for each task.",
        "好的特征能让线性分类器很强，而什么特征好取决于任务：LBP 擅长纹理，HOG 擅长形状。网络则为每个任务自己找到特征。",
    ),
    formula: "x → features φ(x) → sign(w · φ(x) + b)\nSVM min ½‖w‖² + C Σ max(0, 1 − t w·φ)²",
    takeaway: Text::new(
        "Hand-made features with a linear classifier are two steps designed apart; a deep network learns its features for the task, from the pixels to the answer.",
        "手工特征加线性分类器是分开设计的两步；深度网络则从像素到答案，为任务学习自己的特征。",
    ),
    project: (
        "lenet-digits",
        Text::new(
            "The network that is compared here, on the same digits.",
            "此处用来比较的网络，使用同样的数字。",
        ),
    ),
    controls: CONTROLS,
    stages: None,
    demonstrate,
};

static CONTROLS: &[Control] = &[
    Control::choice(
        "show",
        Text::new("Show", "显示"),
        SHOWN,
        0,
        Text::new("What the bench is about just now.", "实验台当前的内容。"),
    ),
    Control::choice(
        "data",
        Text::new("Data", "数据"),
        DATA,
        0,
        Text::new("The images that are to be recognised.", "需要识别的图像。"),
    )
    .only(&[0, 1]),
    Control::count(
        "train",
        Text::new("Training images", "训练图像数"),
        (200, 2000, 8000),
        Text::new(
            "The test takes 1,000 others; the smaller sets have 3,999 for training.",
            "测试使用另外 1,000 幅；较小的数据集最多有 3,999 幅用于训练。",
        ),
    )
    .only(&[0]),
    Control::count(
        "iterations",
        Text::new("Iterations of LeNet", "LeNet 迭代次数"),
        (50, 600, 3000),
        Text::new("With 60 images each.", "每次 60 幅图像。"),
    )
    .only(&[0]),
    Control::count(
        "index",
        Text::new("Example", "样本"),
        (0, 0, 199),
        Text::new("Which image is looked at.", "查看哪幅图像。"),
    )
    .only(&[1]),
];

/// The data of that place.
pub fn source(settings: &Settings) -> &'static str {
    DATA[settings.count("data")].0
}

/// LeNet on the images that the features are trained and tested on.
pub fn network(
    settings: &Settings,
    priority: Priority,
    wake: impl Fn() + Send + Sync + 'static,
) -> Contest {
    let data = config(source(settings), settings.count("train"));
    let stage = Stage {
        iterations: settings.count("iterations") as u64,
        evaluate_every: 0,
        solver: Solver {
            base_lr: 0.02,
            momentum: 0.9,
            weight_decay: 0.0005,
            policy: crate::train::Policy::Cosine,
            ..Solver::default()
        },
        ..Stage::default()
    };
    let entry = Entry {
        name: "LeNet".to_owned(),
        graph: example("lenet-digits").graph,
        data,
        stage,
        seed: 1,
    };
    Contest::start(vec![entry], PathBuf::new(), priority, wake)
}

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let images = Images::open(source(settings), settings.count("train"))?;
    let mut rows = Vec::new();
    for (feature, (key, ..)) in FEATURES.iter().enumerate() {
        let mut pipeline = Pipeline::new(feature);
        let accuracy = pipeline.finish(&images);
        rows.push(((*key).to_owned(), vec![accuracy, pipeline.size() as f64]));
    }
    let hog = rows[1].1[0];
    let mut network = network(settings, Priority::Normal, || {});
    network.finish()?;
    let lenet = network.runs[0].test_accuracy.unwrap_or(f64::NAN);
    rows.push(("lenet".to_owned(), vec![lenet, 784.0]));
    let mut figures = vec![
        Figure::number(
            "hog_svm",
            Text::new("HOG with a linear SVM", "HOG 加线性 SVM"),
            hog,
        ),
        Figure::number(
            "lenet",
            Text::new("LeNet on the same images", "同样图像上的 LeNet"),
            lenet,
        ),
        Figure::table(
            "accuracies",
            Text::new(
                "Test accuracy, and numbers of a vector",
                "测试准确率与向量维数",
            ),
            &["accuracy", "size"],
            rows,
        ),
    ];
    for chart in &CHARTS {
        let rows = chart.points.iter().map(|point| {
            (
                format!("{} ({})", point.name, point.source),
                vec![f64::from(point.year), point.value],
            )
        });
        figures.push(Figure::table(
            chart.key,
            chart.name,
            &["year", "value"],
            rows.collect(),
        ));
    }
    Ok(figures)
}
