//! How long the window's own work takes per frame, idle and while it trains, and how fast it
//! trains meanwhile: `cargo bench --bench frames`, or `-- FRAMES PROJECT` for another project.
//!
//! The window has no screen; frames come 60 times a second and a pointer moves over it, drags a
//! box and zooms. Measure on a quiet machine. `-- editor` measures the editor alone with the 517
//! nodes of a ResNet-152, which has no need of a quiet machine: frames follow one another at once.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use egui::{Event, Modifiers, MouseWheelUnit, PointerButton, Pos2, TouchPhase, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use layerlab::graph::{Graph, Node, PortRef};
use layerlab::gui::app::App;
use layerlab::gui::commands::CommandId;
use layerlab::gui::settings::Settings;
use layerlab::gui::training::Start;
use layerlab::i18n::{Lang, Text};
use layerlab::layers;
use layerlab::train::{Command, Priority};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FRAMES: usize = 600;
const FRAME: Duration = Duration::from_micros(16_667);
/// Frames before the clock counts: layouts settle, the run finds its pace.
const WARM_UP: usize = 60;

struct State {
    app: App,
    /// Milliseconds of the frames since the measurement began.
    times: Vec<f64>,
    /// The same without what the thread waited for a processor.
    busy: Vec<f64>,
}

type Window = Harness<'static, Option<State>>;

fn open(file: Option<PathBuf>) -> anyhow::Result<Window> {
    let mut window = Harness::builder()
        .with_size([1440.0, 900.0])
        .build_ui_state(
            move |ui, state: &mut Option<State>| {
                let state = state.get_or_insert_with(|| {
                    let mut settings = Settings::default();
                    settings.set_language(Lang::English);
                    let app = App::new(ui.ctx(), settings, None, file.clone());
                    let (times, busy) = (Vec::new(), Vec::new());
                    State { app, times, busy }
                });
                let (begun, busy) = (Instant::now(), processor_time());
                state.app.logic(ui.ctx());
                state.app.ui(ui);
                state.times.push(begun.elapsed().as_secs_f64() * 1e3);
                state.busy.push(processor_time() - busy);
            },
            None,
        );
    until(&mut window, |app| {
        app.document.inference().totals.params > 0
    })?;
    let ctx = window.ctx.clone();
    let app = app(&mut window)?;
    // The run shall not end while it is measured.
    const LONG: Text = Text::new("long", "long");
    app.document.edit(LONG, None, |project| {
        for stage in &mut project.stages {
            stage.iterations = 10_000_000;
        }
    });
    app.perform(CommandId::ZoomFit, &ctx);
    window.run_steps(10);
    Ok(window)
}

/// Milliseconds for which this thread has had a processor; 0 where the system does not say.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next().and_then(|word| word.parse().ok());
    first.map_or(0.0, |nanoseconds: f64| nanoseconds / 1e6)
}

fn app(window: &mut Window) -> anyhow::Result<&mut App> {
    let state = window.state_mut().as_mut();
    Ok(&mut state.context("the window did not open")?.app)
}

fn until(window: &mut Window, done: impl Fn(&App) -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !done(app(window)?) {
        if begun.elapsed() > Duration::from_secs(120) {
            bail!("nothing happens");
        }
        window.run_steps(1);
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// What the pointer does in a frame: 3 seconds of each, again and again.
fn move_pointer(window: &mut Window, frame: usize, on_box: Pos2, empty: Pos2) {
    let (turn, step) = ((frame / 180) % 3, frame % 180);
    let angle = step as f32 / 180.0 * std::f32::consts::TAU;
    let circle = Vec2::angled(angle) - Vec2::angled(0.0);
    match turn {
        // Over all panels.
        0 => window.hover_at(Pos2::new(720.0, 450.0) + 400.0 * circle),
        // With a box in hand, back to where it was.
        1 if step == 0 => window.hover_at(on_box),
        1 if step == 1 => button(window, on_box, true),
        1 if step == 179 => button(window, on_box, false),
        1 => window.hover_at(on_box + 60.0 * circle),
        // In and out.
        _ if step == 0 => window.hover_at(empty),
        _ => window.event(Event::MouseWheel {
            unit: MouseWheelUnit::Point,
            delta: Vec2::new(0.0, if step < 90 { 6.0 } else { -6.0 }),
            phase: TouchPhase::Move,
            modifiers: Modifiers::COMMAND,
        }),
    }
}

fn button(window: &mut Window, pos: Pos2, pressed: bool) {
    window.event(Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    });
}

/// The graph of a ResNet-152 (He et al. 2016), grouped as in its table, every box in the open.
fn resnet152() -> anyhow::Result<Graph> {
    let mut graph = Graph::default();
    let mut add = |name: &str, layer: &str, inputs: &[&str]| -> anyhow::Result<String> {
        let mut node = Node::new(name, layers::parse(layer)?);
        for (port, from) in inputs.iter().enumerate() {
            node.inputs.set(port, Some(PortRef::parse(from)));
        }
        graph.add(node);
        Ok(name.to_owned())
    };
    let conv = |size: usize, kernel: usize, stride: usize| {
        let pad = kernel / 2;
        format!(
            "Convolution(num_output: {size}, kernel: ({kernel}, {kernel}), stride: ({stride}, {stride}), pad: ({pad}, {pad}), bias: false)"
        )
    };
    let (norm, relu) = ("FusedBatchNorm()", "ReLU()");
    add("data", "Data()", &[])?;
    let mut x = add("conv1/conv", &conv(64, 7, 2), &["data"])?;
    x = add("conv1/bn", norm, &[&x])?;
    x = add("conv1/relu", relu, &[&x])?;
    let pool = "Pooling(method: max, kernel: (3, 3), stride: (2, 2), pad: (1, 1))";
    x = add("conv2_x/pool", pool, &[&x])?;
    for (stage, blocks) in [3usize, 8, 36, 3].into_iter().enumerate() {
        let size = 64 << stage;
        for block in 0..blocks {
            let name = |part: &str| format!("conv{}_x/{block}/{part}", stage + 2);
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            let mut y = x.clone();
            for (n, layer) in [
                conv(size, 1, 1),
                conv(size, 3, stride),
                conv(4 * size, 1, 1),
            ]
            .iter()
            .enumerate()
            {
                y = add(&name(&format!("conv{}", n + 1)), layer, &[&y])?;
                y = add(&name(&format!("bn{}", n + 1)), norm, &[&y])?;
                if n < 2 {
                    y = add(&name(&format!("relu{}", n + 1)), relu, &[&y])?;
                }
            }
            if block == 0 {
                x = add(&name("downsample"), &conv(4 * size, 1, stride), &[&x])?;
                x = add(&name("downsample_bn"), norm, &[&x])?;
            }
            y = add(&name("add"), "Eltwise()", &[&y, &x])?;
            x = add(&name("relu"), relu, &[&y])?;
        }
    }
    x = add("head/pool", "Pooling(method: average, global: true)", &[&x])?;
    x = add("head/fc", "InnerProduct(num_output: 10)", &[&x])?;
    add("loss", "SoftmaxWithLoss()", &[&x, "data:1"])?;
    add("accuracy", "Accuracy()", &[&x, "data:1"])?;
    Ok(graph)
}

/// What a person does with the large graph in one measurement.
#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Nothing,
    Panning,
    Dragging,
    Zooming,
    Wiring,
}

/// Prints rows of the large graph: seen as a whole and from near.
fn measure_editor(frames: usize) -> anyhow::Result<()> {
    let mut window = open(None)?;
    let ctx = window.ctx.clone();
    let graph = resnet152()?;
    let nodes = graph.nodes().len();
    app(&mut window)?
        .document
        .edit(Text::new("large", "large"), None, |project| {
            project.graph = graph
        });
    window.run_steps(4);
    let begun = Instant::now();
    app(&mut window)?.perform(CommandId::AutoLayout, &ctx);
    let layout = begun.elapsed().as_secs_f64() * 1e3;
    window.run_steps(10);
    println!("{nodes} nodes; laid out in {layout:.1} ms");
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "", "median", "99 %", "longest", "busy", "99 % busy"
    );
    for (near, what) in [(false, "whole graph"), (true, "near")] {
        for (doing, name) in [
            (Doing::Nothing, "idle"),
            (Doing::Panning, "panning"),
            (Doing::Dragging, "dragging a box"),
            (Doing::Zooming, "zooming"),
            (Doing::Wiring, "drawing a wire"),
        ] {
            let app = app(&mut window)?;
            let middle = app.document.project().graph.nodes()[nodes / 2].id;
            app.selection = [middle].into();
            let look = if near {
                CommandId::ZoomSelection
            } else {
                CommandId::ZoomFit
            };
            app.perform(look, &ctx);
            window.run_steps(6);
            let [times, busy] = act(&mut window, doing, frames, nodes / 2)?;
            let at = |times: &[f64], part: f64| {
                times[((times.len() - 1) as f64 * part).round() as usize]
            };
            let [median, late, last] = [0.5, 0.99, 1.0].map(|part| at(&times, part));
            let [own, own_late] = [0.5, 0.99].map(|part| at(&busy, part));
            let name = format!("{what}, {name}");
            println!("{name:<28} {median:>8.2} {late:>8.2} {last:>8.2} {own:>9.2} {own_late:>9.2}");
        }
    }
    Ok(())
}

/// The sorted milliseconds of frames in which the pointer does something: on the clock, and those
/// in which the thread had a processor.
fn act(
    window: &mut Window,
    doing: Doing,
    frames: usize,
    node: usize,
) -> anyhow::Result<[Vec<f64>; 2]> {
    let editor = &app(window)?.editor;
    let (to_window, middle) = (
        editor.to_window(),
        editor.view().context("no graph is drawn")?.center(),
    );
    let position = app(window)?.document.project().graph.nodes()[node].position;
    let on_box = to_window * (Pos2::from(position) + Vec2::new(14.0, 10.0));
    let name = app(window)?.document.project().graph.nodes()[node]
        .name
        .clone();
    let pin = || {
        let label = format!("output {name},");
        let mut pins = window.query_all_by_label_contains(&label);
        pins.next().map(|pin| to_window * pin.rect().center())
    };
    let start = match doing {
        Doing::Dragging => on_box,
        Doing::Wiring => pin().context("the pin is not drawn")?,
        _ => middle,
    };
    let holds = matches!(doing, Doing::Dragging | Doing::Wiring);
    window.hover_at(start);
    window.run_steps(2);
    if holds {
        button(window, start, true);
        window.run_steps(2);
    }
    let state = window.state_mut().as_mut().context("no window")?;
    (state.times, state.busy) = (Vec::new(), Vec::new());
    for frame in 0..frames {
        let angle = frame as f32 / 90.0 * std::f32::consts::TAU;
        let modifiers = match doing {
            Doing::Zooming => Modifiers::COMMAND,
            _ => Modifiers::NONE,
        };
        match doing {
            Doing::Nothing => window.hover_at(middle + 40.0 * Vec2::angled(angle)),
            Doing::Dragging | Doing::Wiring => {
                window.hover_at(start + 60.0 * Vec2::angled(angle));
            }
            Doing::Panning | Doing::Zooming => window.event(Event::MouseWheel {
                unit: MouseWheelUnit::Point,
                delta: 14.0 * Vec2::angled(angle),
                phase: TouchPhase::Move,
                modifiers,
            }),
        }
        window.run_steps(1);
    }
    let state = window.state_mut().as_mut().context("no window")?;
    let mut both = [
        std::mem::take(&mut state.times),
        std::mem::take(&mut state.busy),
    ];
    if holds {
        button(window, start, false);
        window.run_steps(2);
        window.key_press(egui::Key::Escape);
        window.run_steps(2);
    }
    for times in &mut both {
        times.sort_by(f64::total_cmp);
    }
    Ok(both)
}

/// How the window trains in one measurement.
struct Way {
    name: &'static str,
    trains: Option<(Option<usize>, Priority)>,
}

/// Prints one row of the table.
fn measure(way: &Way, frames: usize, file: Option<PathBuf>) -> anyhow::Result<()> {
    let mut window = open(file)?;
    if let Some((threads, priority)) = way.trains {
        let training = &mut app(&mut window)?.training;
        (training.threads, training.priority) = (threads, priority);
        training.start(Start::default());
        until(&mut window, |app| app.training.run.iteration() > 3)?;
    }
    let data = app(&mut window)?.document.project().graph.nodes()[0]
        .name
        .clone();
    let title = window.get_all_by_label(&data).next();
    let title = title
        .context("the first node is not drawn")?
        .rect()
        .center();
    let editor = &app(&mut window)?.editor;
    let on_box = editor.to_window() * title;
    let empty = editor.view().context("no graph is drawn")?.center();
    let (mut begun, mut before) = (Instant::now(), 0);
    let mut next = begun;
    let first = app(&mut window)?.document.project().graph.clone();
    let mut moved = false;
    for frame in 0..WARM_UP + frames {
        if frame == WARM_UP {
            begun = Instant::now();
            before = app(&mut window)?.training.run.iteration();
            let state = window.state_mut().as_mut().context("no window")?;
            (state.times, state.busy) = (Vec::new(), Vec::new());
        }
        if frame >= WARM_UP {
            move_pointer(&mut window, frame - WARM_UP, on_box, empty);
        }
        window.run_steps(1);
        moved |= app(&mut window)?.document.project().graph != first;
        next += FRAME;
        match next.checked_duration_since(Instant::now()) {
            Some(rest) => std::thread::sleep(rest),
            // Late: the next frame comes when it can.
            None => next = Instant::now(),
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let state = window.state_mut().as_mut().context("no window")?;
    let steps = state.app.training.run.iteration() - before;
    state.app.training.send(Command::Stop);
    state.times.sort_by(f64::total_cmp);
    let at = |part: f64| state.times[((state.times.len() - 1) as f64 * part).round() as usize];
    let (name, frames, rate) = (way.name, frames as f64 / seconds, steps as f64 / seconds);
    let [median, late, last] = [0.5, 0.99, 1.0].map(at);
    state.busy.sort_by(f64::total_cmp);
    let busy = state.busy[(state.busy.len() - 1) * 99 / 100];
    println!(
        "{name:<26} {median:>8.2} {late:>8.2} {last:>8.2} {busy:>9.2} {frames:>9.1} {rate:>9.1}"
    );
    if !moved && state.times.len() > 300 {
        bail!("the pointer took no box");
    }
    until(&mut window, |app| !app.training.is_live())
}

fn main() -> anyhow::Result<()> {
    // Cargo passes `--bench` along.
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    if std::env::args().any(|argument| argument == "editor") {
        return measure_editor(FRAMES / 2);
    }
    let frames = arguments.next().map_or(Ok(FRAMES), |text| text.parse())?;
    let file: Option<PathBuf> = arguments.next().map(PathBuf::from);
    let processors = std::thread::available_parallelism()?.get();
    println!("{frames} frames, {processors} processors; milliseconds of a frame's own work");
    let [median, late, last] = ["median", "99 %", "longest"];
    println!(
        "{:<26} {median:>8} {late:>8} {last:>8} {:>9} {:>9} {:>9}",
        "", "99 % busy", "frames/s", "steps/s"
    );
    let fewer = Some(processors.saturating_sub(1).max(1));
    let trains = |name, threads, priority| Way {
        name,
        trains: Some((threads, priority)),
    };
    for way in [
        Way {
            name: "idle",
            trains: None,
        },
        trains("training, normal priority", None, Priority::Normal),
        trains("one thread fewer", fewer, Priority::Normal),
        trains("low priority", None, Priority::Low),
        trains("both", fewer, Priority::Low),
    ] {
        measure(&way, frames, file.clone())?;
    }
    Ok(())
}
