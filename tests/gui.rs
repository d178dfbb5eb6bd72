//! The window, driven by keyboard and pointer without a display.
#![cfg(feature = "window")]

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

use egui::{Event, Key, Modifiers, Pos2, accesskit::Role};
use layerlab::graph::{Graph, Phase};
use layerlab::gui::app::App;
use layerlab::gui::commands::CommandId;
use layerlab::gui::settings::Settings;
use layerlab::i18n::{Lang, lang};
use layerlab::project::Project;

/// The language is one for the whole program: tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A window without a screen, and the folder of its files.
struct Window {
    harness: Harness<'static, Option<App>>,
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Window {
    fn open(file: Option<PathBuf>) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), file)
    }

    fn open_in(folder: tempfile::TempDir, file: Option<PathBuf>) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let storage = folder.path().join("storage");
        let harness = Harness::builder()
            .with_size([1440.0, 900.0])
            .with_max_steps(24)
            .build_ui_state(
                move |ui, state: &mut Option<App>| {
                    let app = state.get_or_insert_with(|| {
                        let mut settings = Settings::default();
                        settings.set_language(Lang::English);
                        let mut app =
                            App::new(ui.ctx(), settings, Some(storage.clone()), file.clone());
                        app.files.typed_only = true;
                        app
                    });
                    app.logic(ui.ctx());
                    app.ui(ui);
                },
                None,
            );
        let mut window = Self {
            harness,
            folder,
            _turn: turn,
        };
        window.settle();
        window
    }

    fn app(&mut self) -> &mut App {
        self.harness.state_mut().as_mut().unwrap()
    }

    fn graph(&mut self) -> Graph {
        self.app().document.project().graph.clone()
    }

    fn settle(&mut self) {
        self.harness.run_steps(4);
    }

    fn until(&mut self, what: &str, done: impl Fn(&mut App) -> bool) {
        let begun = Instant::now();
        while !done(self.app()) {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "waiting for {what}"
            );
            std::thread::sleep(Duration::from_millis(5));
            self.harness.run_steps(1);
        }
        self.settle();
    }

    /// The data are open, so that sizes are known.
    fn until_inferred(&mut self) {
        self.until("the data", |app| app.document.inference().totals.params > 0);
    }

    fn key(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    fn typed(&mut self, text: &str) {
        self.harness.event(Event::Text(text.to_owned()));
        self.settle();
    }

    /// Answers a question for a file.
    fn type_path(&mut self, path: &Path) {
        self.key(Modifiers::COMMAND, Key::A);
        self.typed(path.to_str().unwrap());
        self.key(Modifiers::NONE, Key::Enter);
    }

    /// Ctrl+K, the name, Enter: as a person adds a layer without the mouse.
    fn add(&mut self, layer: &str) {
        self.key(Modifiers::COMMAND, Key::K);
        self.typed(layer);
        self.key(Modifiers::NONE, Key::Enter);
        self.key(Modifiers::NONE, Key::Escape);
    }

    fn click(&mut self, role: Role, label: &str) {
        self.harness.get_by_role_and_label(role, label).click();
        self.settle();
    }

    fn place(&self, role: Role, label: &str) -> Pos2 {
        self.harness
            .get_by_role_and_label(role, label)
            .rect()
            .center()
    }

    /// A place in the graph; what is drawn there tells its place before zoom and scrolling.
    fn place_in_graph(&mut self, role: Role, label: &str) -> Pos2 {
        let place = self.place(role, label);
        self.app().editor.to_window() * place
    }

    fn drag(&mut self, from: Pos2, to: Pos2) {
        self.harness.hover_at(from);
        self.settle();
        self.harness.drag_at(from);
        self.harness.run_steps(2);
        for step in 1..=4 {
            self.harness
                .hover_at(from + (to - from) * (step as f32 / 4.0));
            self.harness.run_steps(2);
        }
        self.harness.drop_at(to);
        self.settle();
    }

    fn run(&mut self, command: CommandId) {
        let ctx = self.harness.ctx.clone();
        self.app().perform(command, &ctx);
        self.settle();
    }

    fn shows(&self, label: &str) -> bool {
        self.harness
            .query_all_by_label_contains(label)
            .next()
            .is_some()
    }
}

fn wires(graph: &Graph) -> Vec<String> {
    let name = |id| graph.node(id).unwrap().name.clone();
    let wires = graph.wires(Phase::Train).into_iter();
    wires
        .map(|(from, to)| format!("{}:{} → {}:{}", name(from.0), from.1, name(to.0), to.1))
        .collect()
}

/// A small network that learns the digits in a moment.
fn build(window: &mut Window) {
    window.run(CommandId::New);
    for layer in [
        "Data",
        "Convolution",
        "Pooling",
        "ReLU",
        "InnerProduct",
        "SoftmaxWithLoss",
    ] {
        window.add(layer);
    }
}

#[test]
fn a_network_is_built_by_keyboard_and_every_step_undone_and_redone() {
    let mut window = Window::open(None);
    build(&mut window);
    let graph = window.graph();
    assert_eq!(
        wires(&graph),
        [
            "data:0 → conv1:0",
            "conv1:0 → pool1:0",
            "pool1:0 → relu1:0",
            "relu1:0 → ip1:0",
            "ip1:0 → loss:0",
            "data:1 → loss:1",
        ]
    );
    window.until_inferred();
    assert!(!window.app().document.inference().has_errors());
    let positions: Vec<f32> = graph.nodes().iter().map(|node| node.position[0]).collect();
    assert!(
        positions.windows(2).all(|pair| pair[0] < pair[1]),
        "{positions:?}"
    );
    for left in (0..6).rev() {
        window.key(Modifiers::COMMAND, Key::Z);
        assert_eq!(window.graph().nodes().len(), left);
    }
    window.key(Modifiers::COMMAND, Key::Z);
    for _ in 0..6 {
        window.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    }
    assert_eq!(window.graph(), graph);
}

#[test]
fn the_pointer_drags_layers_draws_wires_and_moves_boxes() {
    let mut window = Window::open(None);
    build(&mut window);
    window.run(CommandId::ZoomFit);
    // A layer from the palette to an empty place of the graph.
    window.key(Modifiers::NONE, Key::Escape);
    window.app().selection.clear();
    // The palette is longer than the window is high.
    window
        .harness
        .get_by_role_and_label(Role::Button, "Accuracy")
        .scroll_to_me();
    window.settle();
    let from = window.place(Role::Button, "Accuracy");
    window.drag(from, Pos2::new(600.0, 480.0));
    let graph = window.graph();
    let accuracy = graph.named("accuracy", Phase::Test).unwrap();
    assert_eq!(accuracy.inputs.get(0), None, "nothing was selected");
    assert_eq!(
        accuracy.inputs.get(1).unwrap().to_string(),
        "data:1",
        "labels come from the data"
    );
    // A wire from a pin to a pin, both in sight.
    window.until_inferred();
    window.run(CommandId::ZoomFit);
    let scores = window.place_in_graph(Role::Button, "input accuracy, scores: tensor");
    let output = window.place_in_graph(Role::Button, "output ip1, y: tensor N×10");
    window.drag(output, scores);
    assert!(wires(&window.graph()).contains(&"ip1:0 → accuracy:0".to_owned()));
    // One that does not fit is refused, and why is said.
    let before = window.graph();
    let label = window.place_in_graph(Role::Button, "output data, label: labels N");
    window.drag(label, scores);
    assert_eq!(window.graph(), before);
    assert!(
        window
            .app()
            .toasts
            .texts()
            .any(|text| text.contains("labels"))
    );
    // A box is moved in one step of undo, and the selection with it.
    let accuracy = before.named("accuracy", Phase::Test).unwrap();
    let title = window
        .harness
        .get_all_by_label("accuracy")
        .next()
        .unwrap()
        .rect()
        .center();
    let title = window.app().editor.to_window() * title;
    window.drag(title, title + egui::vec2(60.0, 20.0));
    let moved = window.graph().node(accuracy.id).unwrap().position;
    assert!(
        moved[0] > accuracy.position[0] + 20.0,
        "{moved:?} {:?}",
        accuracy.position
    );
    window.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.graph(), before);
}

#[test]
fn a_project_is_renamed_saved_and_opened_again() {
    let mut window = Window::open(None);
    build(&mut window);
    // Rename the selected node in its place.
    window.key(Modifiers::NONE, Key::F2);
    window.key(Modifiers::COMMAND, Key::A);
    window.typed("objective");
    window.key(Modifiers::NONE, Key::Enter);
    assert!(
        window
            .graph()
            .nodes()
            .iter()
            .any(|node| node.name == "objective")
    );
    assert!(window.app().title().starts_with('*'));
    // Save: no file dialog here, so a path is typed.
    let path = window.folder.path().join("made.ron");
    window.key(Modifiers::COMMAND, Key::S);
    window.type_path(&path);
    let saved = window.app().document.project().clone();
    assert_eq!(Project::open(&path).unwrap(), saved);
    assert_eq!(window.app().title(), "made.ron — Layerlab");
    // Unsaved changes are asked about; cancel keeps them.
    window.add("Dropout");
    window.key(Modifiers::COMMAND, Key::N);
    assert!(window.shows("Save the changes?"));
    window.click(Role::Button, "Cancel");
    assert_eq!(window.graph().nodes().len(), 7);
    window.key(Modifiers::COMMAND, Key::N);
    window.click(Role::Button, "Don't save");
    assert!(window.graph().nodes().is_empty());
    assert!(window.shows("Drag a layer here") || window.graph().nodes().is_empty());
    let app = window.app();
    assert_eq!(app.settings.recent, std::slice::from_ref(&path));
    app.open(path);
    assert_eq!(*window.app().document.project(), saved);
    // A file that is none changes nothing and says why.
    let broken = window.folder.path().join("broken.ron");
    std::fs::write(&broken, "(version: 1, nodes").unwrap();
    window.app().open(broken);
    assert_eq!(*window.app().document.project(), saved);
    assert!(
        window
            .app()
            .toasts
            .texts()
            .any(|text| text.contains("line 1"))
    );
}

#[test]
fn the_prototxt_follows_the_graph_and_changes_it() {
    let mut window = Window::open(None);
    // The number of classes stands in the text, once it is known.
    window.until_inferred();
    let before = window.app().document.project().clone();
    let show = CommandId::Show(layerlab::gui::ViewKind::Prototxt);
    window.run(show);
    // The comment of a node is the other text of several lines.
    fn text_of(window: &Window) -> egui_kittest::Node<'_> {
        let texts = window.harness.get_all_by_role(Role::MultilineTextInput);
        let longest = |node: &egui_kittest::Node<'_>| node.value().map(|value| value.len());
        texts.max_by_key(longest).unwrap()
    }
    let pane = |window: &Window| text_of(window).value().unwrap_or_default().to_owned();
    let text = pane(&window);
    assert!(
        text.contains("name: \"conv1\"") && text.contains("num_output: 20"),
        "{text}"
    );

    let type_over = |window: &mut Window, text: &str| {
        text_of(window).focus();
        window.settle();
        window.key(Modifiers::COMMAND, Key::A);
        window.typed(text);
    };
    let changed = text.replace("num_output: 20", "num_output: 7")
        + "layer { name: \"more\" type: \"ReLU\" bottom: \"ip2\" top: \"more\" }";
    type_over(&mut window, &changed);
    let graph = window.graph();
    let layer = |graph: &Graph, name: &str| {
        graph
            .named(name, Phase::Train)
            .unwrap()
            .layer
            .to_ron()
            .unwrap()
    };
    assert!(layer(&graph, "conv1").contains("num_output: 7"));
    assert!(layer(&graph, "more").contains("ReLU"));
    for node in before.graph.nodes() {
        let now = graph
            .named(&node.name, Phase::Test)
            .or(graph.named(&node.name, Phase::Train));
        assert_eq!(
            (now.unwrap().position, now.unwrap().id),
            (node.position, node.id)
        );
    }

    // A text that breaks off leaves the graph as it is, and says where.
    window.typed(" layer {");
    assert!(pane(&window).ends_with(" layer {"));
    assert!(window.graph() == graph);
    let lines = changed.lines().count();
    let wanted = format!("line {lines}:");
    window.harness.get_by_label_contains(&wanted);
    window.click(Role::Button, "Show the graph's text");
    assert!(!pane(&window).ends_with("layer {") && pane(&window).contains("num_output: 7"));

    // All the typing is one step.
    window.run(CommandId::Undo);
    assert!(*window.app().document.project() == before);
    assert_eq!(pane(&window), text);

    // What is wrong is said at the node's own line.
    let wrong = text.replace("bottom: \"pool1\"", "bottom: \"nowhere\"");
    type_over(&mut window, &wrong);
    let line = 1 + wrong
        .lines()
        .position(|line| line.contains("\"conv2\""))
        .unwrap()
        - 1;
    let wanted = format!("line {line}:");
    let marks = window.harness.query_all_by_label_contains(&wanted);
    assert!(marks.count() > 0, "{line}");
}

#[test]
fn networks_of_caffe_are_opened_and_written() {
    let mut window = Window::open(None);
    let file = window.folder.path().join("net.prototxt");
    std::fs::write(
        &file,
        "name: 'from caffe' input: 'x' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
         layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'c' convolution_param { num_output: 4 kernel_size: 3 colour: 1 } }",
    )
    .unwrap();
    window.app().open(file);
    window.settle();
    assert_eq!(window.app().document.project().title, "from caffe");
    assert!(window.app().document.is_dirty(), "it is in no project file");
    let noted = window
        .harness
        .query_all_by_label_contains("colour of Convolution");
    assert!(noted.count() > 0);
    window.run(CommandId::ExportCaffe);
    let out = window.folder.path().join("out.prototxt");
    window.type_path(&out);
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(
        text.contains("colour: 1") && text.contains("from caffe"),
        "{text}"
    );
    let solver = std::fs::read_to_string(out.with_file_name("out_solver.prototxt")).unwrap();
    assert!(solver.contains("net: \"out.prototxt\""), "{solver}");
}

#[test]
fn models_of_onnx_are_opened_and_written() {
    let mut window = Window::open(None);
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/onnx");
    window.app().open(cases.join("unknown.onnx"));
    window.settle();
    assert_eq!(window.app().document.project().title, "unknown");
    assert!(window.app().document.is_dirty(), "it is in no project file");
    let noted = window.harness.query_all_by_label_contains("Erf");
    assert!(noted.count() > 0);
    window.app().open(cases.join("lstm_last.onnx"));
    window.settle();
    window.run(CommandId::ExportOnnx);
    let out = window.folder.path().join("out.onnx");
    window.type_path(&out);
    let read = |path| layerlab::interop::onnx::open(path).unwrap();
    let (again, before) = (read(&out), read(&cases.join("lstm_last.onnx")));
    assert_eq!(again.project.title, "lstm_last");
    assert_eq!(again.weights.len(), 4);
    for (key, tensor) in &before.weights {
        let numbers = [tensor, &again.weights[key]].map(|t| t.flatten_all().unwrap());
        let [a, b] = numbers.map(|flat| flat.to_vec1::<f32>().unwrap());
        assert_eq!(a, b, "{key}: the model's own weights");
    }
}

#[test]
fn nodes_are_copied_pasted_grouped_folded_and_laid_out() {
    let mut window = Window::open(None);
    build(&mut window);
    window.until_inferred();
    let params = window.app().document.inference().totals.params;
    let graph = window.graph();
    let chosen: Vec<_> = graph.nodes()[1..4].iter().map(|node| node.id).collect();
    window.app().selection = chosen.into_iter().collect();
    window.harness.event(Event::Copy);
    window.settle();
    let copied = window
        .harness
        .output()
        .platform_output
        .commands
        .iter()
        .find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        });
    // The text is given in the frame of the event; a later frame has it no more.
    let copied = copied.unwrap_or_else(|| {
        let selection = window.app().selection.clone();
        layerlab::gui::editor::edits::to_text(&window.graph(), &selection).unwrap()
    });
    window.harness.event(Event::Paste(copied));
    window.settle();
    let pasted = window.graph();
    assert_eq!(pasted.nodes().len(), 9);
    assert!(pasted.nodes().iter().any(|node| node.name == "conv2"));
    window.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.graph(), graph);
    // Group and fold: one box, the same network, the same numbers.
    window.app().selection = graph.nodes()[1..4].iter().map(|node| node.id).collect();
    window.key(Modifiers::COMMAND, Key::G);
    assert!(window.shows("Group the selected nodes"));
    window.key(Modifiers::COMMAND, Key::A);
    window.typed("features");
    window.key(Modifiers::NONE, Key::Enter);
    assert!(window.graph().groups().contains("features"));
    window.key(Modifiers::COMMAND, Key::OpenBracket);
    assert!(window.graph().folded.contains("features"));
    window.run(CommandId::ZoomFit);
    assert!(window.shows("group of 3"));
    assert_eq!(window.app().document.inference().totals.params, params);
    window.key(Modifiers::COMMAND, Key::L);
    window.key(Modifiers::COMMAND, Key::CloseBracket);
    assert!(window.graph().folded.is_empty());
    window.run(CommandId::SelectAll);
    window.key(Modifiers::NONE, Key::Delete);
    assert!(window.graph().nodes().is_empty());
    while window.app().document.undo() {}
    assert!(
        window.graph().nodes().is_empty(),
        "the new project was empty"
    );
}

#[test]
fn the_language_is_switched_live_from_the_command_palette() {
    let mut window = Window::open(None);
    assert!(window.shows("Layers"));
    window.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::P);
    window.typed("简体");
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(lang(), Lang::Chinese);
    assert!(window.harness.query_all_by_label("参数").next().is_some());
    assert!(
        window
            .harness
            .query_all_by_label("Parameters")
            .next()
            .is_none()
    );
    assert_eq!(window.app().settings.language(), Lang::Chinese);
    window.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::P);
    window.typed("english");
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(lang(), Lang::English);
}

#[test]
fn precise_sums_are_asked_for_in_the_form_and_undone() {
    let mut window = Window::open(None);
    window.app().selection.clear();
    window.settle();
    let precise = |window: &mut Window| window.app().document.project().precise;
    assert!(!precise(&mut window));
    window.click(Role::CheckBox, "precise");
    assert!(precise(&mut window));
    window.key(Modifiers::COMMAND, Key::Z);
    assert!(!precise(&mut window));
}

#[test]
fn training_lowers_the_loss_shows_maps_and_takes_another_rate() {
    let mut window = Window::open(None);
    build(&mut window);
    window.app().document.edit(
        layerlab::i18n::Text::new("stage", "阶段"),
        None,
        |project| project.stages = vec![layerlab::train::Stage::default()],
    );
    let graph = window.graph();
    window.app().selection = [graph.nodes()[1].id].into();
    window.until_inferred();
    window.key(Modifiers::NONE, Key::Space);
    window.until("30 iterations", |app| app.training.run.iteration() >= 30);
    let times = window.app().frame_times.clone();
    let (median, late) = (times.quantile(0.5), times.quantile(0.99));
    println!("while training: median {median:.2} ms, 99 % {late:.2} ms");
    let loss = |app: &mut App, n: u64| {
        app.training
            .run
            .latest()
            .map(|latest| latest.loss)
            .filter(|_| n > 0)
    };
    let now = loss(window.app(), 1).unwrap();
    assert!(
        now < 2.0,
        "the loss begins near ln 10 = 2.3 and must have fallen: {now}"
    );
    window.until("a picture", |app| {
        app.training
            .run
            .snapshot()
            .is_some_and(|shot| shot.outputs.contains_key("conv1"))
    });
    assert!(window.shows("conv1"));
    // Another rate in flight.
    let ctx = window.harness.ctx.clone();
    let set = layerlab::train::Command::SetBaseRate(0.002);
    window
        .app()
        .apply(layerlab::gui::context::Action::Train(set), &ctx);
    window.until("the rate", |app| {
        app.training
            .run
            .rate_changes()
            .last()
            .is_some_and(|(_, rate)| *rate == 0.002)
    });
    // Space again pauses; a checkpoint is written and found.
    window.key(Modifiers::NONE, Key::Space);
    window.until("the pause", |app| {
        *app.training.run.status() == layerlab::gui::run::Status::Paused
    });
    // Moving a box is no change of what is trained; another kernel is.
    let id = graph.nodes()[1].id;
    let edit = |window: &mut Window, change: fn(&mut layerlab::graph::Node)| {
        window
            .app()
            .document
            .edit(layerlab::i18n::Text::new("e", "e"), None, |project| {
                change(project.graph.node_mut(id).unwrap());
            });
        window.settle();
        window.shows("The graph has changed")
    };
    assert!(!edit(&mut window, |node| node.position[0] += 30.0));
    assert!(edit(&mut window, |node| node.name = "other".to_owned()));
    window.run(CommandId::Stop);
    window.until("the end", |app| !app.training.is_live());
}

#[test]
fn unsaved_work_is_offered_after_a_crash() {
    let mut window = Window::open(None);
    build(&mut window);
    let made = window.app().document.project().clone();
    window.app().autosave_now();
    let Window {
        harness,
        folder,
        _turn,
    } = window;
    // A crash: nothing is told that it ends.
    drop(harness);
    drop(_turn);
    let mut window = Window::open_in(folder, None);
    assert!(window.shows("Recover unsaved work?"));
    window.click(Role::Button, "Recover");
    assert_eq!(*window.app().document.project(), made);
    assert!(window.app().document.is_dirty());
}

/// What is under the pointer may go away in the middle of a drag.
#[test]
fn a_node_deleted_while_its_wire_is_drawn_breaks_nothing() {
    let mut window = Window::open(None);
    build(&mut window);
    window.run(CommandId::ZoomFit);
    window.until_inferred();
    let ip1 = window.graph().nodes()[4].id;
    window.app().selection = [ip1].into();
    let output = window.place_in_graph(Role::Button, "output ip1, y: tensor N×10");
    for name in ["delete", "new document"] {
        window.harness.hover_at(output);
        window.settle();
        window.harness.drag_at(output);
        window.harness.run_steps(2);
        window.harness.hover_at(output + egui::vec2(80.0, 60.0));
        window.harness.run_steps(2);
        match name {
            "delete" => window.run(CommandId::Delete),
            _ => window.run(CommandId::New),
        }
        window.harness.hover_at(output + egui::vec2(90.0, 70.0));
        window.settle();
        window.harness.drop_at(output + egui::vec2(90.0, 70.0));
        window.settle();
        window.key(Modifiers::NONE, Key::Escape);
        if name == "delete" {
            assert_eq!(window.graph().nodes().len(), 5);
            window.key(Modifiers::COMMAND, Key::Z);
            assert_eq!(window.graph().nodes().len(), 6);
        }
    }
}

/// Clicks, drags and keys at random, from a fixed seed: nothing panics, and undoing everything
/// and redoing everything ends where it began.
#[test]
fn a_monkey_breaks_nothing() {
    let mut window = Window::open(None);
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let (ctrl, none) = (Modifiers::COMMAND, Modifiers::NONE);
    let keys = [
        (none, Key::Delete),
        (none, Key::Escape),
        (none, Key::Escape),
        (none, Key::F),
        (none, Key::F2),
        (none, Key::Enter),
        (none, Key::ArrowRight),
        (Modifiers::ALT, Key::ArrowDown),
        (ctrl, Key::Z),
        (ctrl | Modifiers::SHIFT, Key::Z),
        (ctrl, Key::D),
        (ctrl, Key::A),
        (ctrl, Key::J),
        (ctrl, Key::G),
        (ctrl, Key::F),
        (ctrl | Modifiers::SHIFT, Key::D),
        (ctrl | Modifiers::SHIFT, Key::G),
        (ctrl | Modifiers::SHIFT, Key::R),
        (ctrl | Modifiers::SHIFT, Key::OpenBracket),
        (ctrl, Key::OpenBracket),
        (ctrl, Key::CloseBracket),
        (ctrl, Key::L),
        (ctrl, Key::K),
    ];
    for action in 0..500 {
        // Questions and text fields hold it up, but not for long.
        if action % 6 == 0 {
            window.harness.key_press(Key::Escape);
            window.harness.run_steps(1);
        }
        // Below the menus and the training bar.
        let mut place = || Pos2::new(random(1440) as f32, 95.0 + random(750) as f32);
        let (from, to) = (place(), place());
        match random(10) {
            0..=2 => {
                window.harness.drag_at(from);
                window.harness.run_steps(1);
                window.harness.hover_at(to);
                window.harness.run_steps(1);
                window.harness.drop_at(to);
            }
            3 | 4 => {
                window.harness.drag_at(from);
                window.harness.drop_at(from);
            }
            5 => window.harness.event(Event::Text("a1".to_owned())),
            _ => {
                let (modifiers, key) = keys[random(keys.len())];
                window.harness.key_press_modifiers(modifiers, key);
            }
        }
        window.harness.run_steps(1);
    }
    let end = window.app().document.project().clone();
    let document = &mut window.app().document;
    let mut steps = 0;
    while document.undo() {
        steps += 1;
    }
    assert!(steps > 20, "the monkey did something");
    for _ in 0..steps {
        assert!(document.redo());
    }
    assert_eq!(*document.project(), end);
    window.settle();
}

/// Weights from a file: what fits is shown and asked about, a paused run begins with it, and its
/// weights go into a file again; freezing is one step of undo and marks the box.
#[test]
fn weights_are_loaded_saved_and_frozen() {
    let mut window = Window::open(None);
    window.until_inferred();
    let inference = window.app().document.inference().clone();
    let graph = window.graph();
    let folder = window.folder.path().to_owned();
    let file = folder.join("trained.safetensors");
    let mut weights = std::collections::BTreeMap::new();
    for node in graph.nodes() {
        for (key, spec) in inference.node(node.id).map_or(&[][..], |info| &info.params) {
            let half =
                candle_core::Tensor::full(0.5f32, spec.shape.as_slice(), &candle_core::Device::Cpu);
            weights.insert(key.clone(), half.unwrap());
        }
    }
    let count = weights.len();
    let (last, _) = weights.pop_last().unwrap();
    weights.insert(
        "other.weight".to_owned(),
        weights.values().next().unwrap().clone(),
    );
    let bytes = layerlab::train::weights_to_bytes(&file, &weights).unwrap();
    std::fs::write(&file, bytes).unwrap();

    window.run(CommandId::LoadWeights);
    window.type_path(&file);
    assert!(window.shows("Weights from trained.safetensors"));
    assert!(window.shows(&format!(
        "{} of the network's {count} tensors match",
        count - 1
    )));
    assert!(window.shows(&last) && window.shows("other.weight"));
    window.click(Role::Button, "Cancel");
    assert!(!window.shows("begins with"));

    window.run(CommandId::LoadWeights);
    window.type_path(&file);
    window.click(Role::Button, "Load what fits");
    window.until("a paused run", |app| {
        *app.training.run.status() == layerlab::gui::run::Status::Paused
            && app.training.run.snapshot().is_some()
    });
    assert!(window.shows("begins with trained.safetensors"));
    let snapshot = window.app().training.run.snapshot().unwrap().clone();
    assert_eq!(snapshot.iteration, 0);
    let first = |key: &str| {
        let tensor = snapshot.weights[key].flatten_all().unwrap();
        tensor.to_vec1::<f32>().unwrap()[0]
    };
    let loaded = weights.keys().find(|key| *key != "other.weight").unwrap();
    assert_eq!(first(loaded), 0.5);
    assert_ne!(first(&last), 0.5);

    let saved = folder.join("saved");
    window.run(CommandId::SaveWeights);
    window.type_path(&saved);
    let saved = saved.with_extension("safetensors");
    let read = layerlab::interop::weights::WeightsFile::open(&saved, None).unwrap();
    assert!(read.report(&graph, &inference).is_complete());

    window.run(CommandId::FreshWeights);
    assert!(!window.shows("begins with"));

    let before = window.app().document.project().clone();
    let learns = |name: &str| {
        graph
            .nodes()
            .iter()
            .find(|node| node.name == name)
            .unwrap()
            .id
    };
    let node = learns(loaded.rsplit_once('.').unwrap().0);
    window.app().selection = [node].into();
    window.settle();
    window.run(CommandId::Freeze);
    assert!(window.shows("❄"));
    let multipliers = window.graph().node(node).unwrap().multipliers.clone();
    assert!(!multipliers.is_empty() && multipliers.values().all(|m| m.lr == 0.0));
    window.run(CommandId::Freeze);
    assert!(!window.shows("❄"));
    window.run(CommandId::Undo);
    window.run(CommandId::Undo);
    assert_eq!(*window.app().document.project(), before);
}

/// A window on two blocks of a convolution and a ReLU each, with a key as another program has it.
fn grouped() -> Window {
    let mut window = Window::open(None);
    window.run(CommandId::New);
    let conv =
        |size: usize| format!("Convolution(num_output: {size}, kernel: (3, 3), pad: (1, 1))");
    let nodes = [
        ("data", "Data()".to_owned(), ""),
        ("stem", conv(8), "data"),
        ("a/conv", conv(8), "stem"),
        ("a/relu", "ReLU()".to_owned(), "a/conv"),
        ("b/conv", conv(16), "a/relu"),
        ("b/relu", "ReLU()".to_owned(), "b/conv"),
        (
            "fc",
            "InnerProduct(num_output: \"classes\")".to_owned(),
            "b/relu",
        ),
        ("loss", "SoftmaxWithLoss()".to_owned(), "fc data:1"),
    ];
    const BUILD: layerlab::i18n::Text = layerlab::i18n::Text::new("build", "build");
    window.app().document.edit(BUILD, None, |project| {
        for (name, layer, inputs) in nodes {
            let layer = layerlab::layers::parse(&layer).unwrap();
            let mut node = layerlab::graph::Node::new(name, layer);
            for (port, from) in inputs.split_whitespace().enumerate() {
                let from = layerlab::graph::PortRef::parse(from);
                node.inputs.set(port, Some(from));
            }
            if name == "a/conv" {
                node.key = Some("layer1.0.conv1".to_owned());
            }
            project.graph.add(node);
        }
    });
    window.until_inferred();
    window.run(CommandId::AutoLayout);
    window
}

impl Window {
    fn select(&mut self, names: &[&str]) {
        let graph = self.graph();
        let chosen = graph
            .nodes()
            .iter()
            .filter(|node| names.contains(&node.name.as_str()));
        self.app().selection = chosen.map(|node| node.id).collect();
        self.settle();
    }

    fn selected(&mut self) -> Vec<String> {
        let graph = self.graph();
        let names = self
            .app()
            .selection
            .iter()
            .map(|id| graph.node(*id).unwrap().name.clone());
        names.collect()
    }

    fn keys(&mut self) -> Vec<String> {
        let inference = self.app().document.inference();
        let infos = inference.train.nodes.values().flat_map(|info| &info.params);
        let mut keys: Vec<String> = infos.map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    }

    /// No box lies on another.
    fn is_tidy(&mut self) -> bool {
        let ctx = self.harness.ctx.clone();
        let app = self.app();
        let graph = app.document.project().graph.clone();
        !app.editor
            .is_crowded(&ctx, &graph, app.document.inference())
    }

    fn double_click(&mut self, at: Pos2) {
        self.harness.hover_at(at);
        self.settle();
        // All in one frame: a frame here takes longer than a double click may.
        for pressed in [true, false, true, false] {
            self.harness.input_mut().events.push(Event::PointerButton {
                pos: at,
                button: egui::PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            });
        }
        self.settle();
    }
}

#[test]
fn groups_fold_and_unfold_in_their_places() {
    let mut window = grouped();
    let open = window.graph();
    window.run(CommandId::FoldAll);
    assert_eq!(window.graph().folded.len(), 2);
    assert!(window.shows("group of 2") && window.is_tidy());
    // A double click unfolds one, its neighbours make room, and all of that is one step.
    let folded = window.graph();
    let title = window.place_in_graph(Role::Label, "a");
    window.double_click(title);
    assert_eq!(window.graph().folded.len(), 1);
    assert!(window.is_tidy());
    window.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.graph(), folded);
    window.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    // A double click on the frame's title folds it again.
    window.run(CommandId::ZoomFit);
    let title = window
        .harness
        .get_by_role_and_label(Role::Button, "group a")
        .rect();
    let title = window.app().editor.to_window() * title.left_center() + egui::vec2(20.0, 0.0);
    window.double_click(title);
    assert_eq!(window.graph(), folded, "everything is where it was");
    // A drag moves the group.
    window.run(CommandId::UnfoldAll);
    assert!(window.is_tidy());
    let title = window
        .harness
        .get_by_role_and_label(Role::Button, "group b")
        .rect();
    let title = window.app().editor.to_window() * title.left_center() + egui::vec2(20.0, 0.0);
    let before = window.graph();
    window.drag(title, title + egui::vec2(0.0, 60.0));
    let place = |graph: &Graph, name: &str| graph.named(name, Phase::Train).unwrap().position;
    let after = window.graph();
    for name in ["b/conv", "b/relu"] {
        assert!(place(&after, name)[1] > place(&before, name)[1] + 20.0);
    }
    assert_eq!(place(&after, "a/conv"), place(&before, "a/conv"));
    // Levels by the keyboard.
    window.key(Modifiers::NONE, Key::Escape);
    window.app().selection.clear();
    window.key(Modifiers::COMMAND, Key::OpenBracket);
    assert_eq!(window.graph().folded.len(), 2);
    window.key(Modifiers::COMMAND, Key::CloseBracket);
    assert!(window.graph().folded.is_empty());
    assert_eq!(open.nodes().len(), window.graph().nodes().len());
}

#[test]
fn a_search_unfolds_selects_and_centres_what_it_finds() {
    let mut window = grouped();
    window.run(CommandId::FoldAll);
    window.key(Modifiers::COMMAND, Key::F);
    window.typed("relu");
    assert!(window.shows("1 of 2"));
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.selected(), ["a/relu"]);
    assert!(!window.graph().folded.contains("a") && window.graph().folded.contains("b"));
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.selected(), ["b/relu"]);
    assert!(window.shows("2 of 2"));
    window.key(Modifiers::SHIFT, Key::Enter);
    assert_eq!(window.selected(), ["a/relu"]);
    // By a parameter; arrows go through the list.
    window.key(Modifiers::COMMAND, Key::A);
    window.typed("num_output 8");
    assert!(window.shows("1 of 2"));
    window.key(Modifiers::NONE, Key::ArrowDown);
    window.key(Modifiers::NONE, Key::Enter);
    assert_eq!(window.selected(), ["a/conv"]);
    window.key(Modifiers::NONE, Key::Escape);
    assert!(!window.app().editor.search.is_open());
}

#[test]
fn a_selection_becomes_a_group_is_repeated_and_taken_apart() {
    let mut window = grouped();
    let (before, keys) = (window.graph(), window.keys());
    window.select(&["stem", "a/conv"]);
    window.key(Modifiers::COMMAND, Key::G);
    window.typed("body");
    window.key(Modifiers::NONE, Key::Enter);
    let names: Vec<String> = window
        .graph()
        .nodes()
        .iter()
        .map(|n| n.name.clone())
        .collect();
    assert_eq!(names[1..3], ["body/stem", "body/a/conv"]);
    assert_eq!(window.keys(), keys);
    assert!(window.is_tidy());
    window.select(&["body/stem"]);
    window.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::G);
    assert_eq!(window.keys(), keys);
    let names = |graph: &Graph| {
        graph
            .nodes()
            .iter()
            .map(|n| n.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&window.graph()), names(&before));
    // Twice in all: the copy reads the first, and has weights of its own.
    window.select(&["a/relu"]);
    window.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::D);
    assert!(window.shows("Repeat “a”") && window.shows("parameters"));
    window.click(Role::Button, "OK");
    let graph = window.graph();
    assert!(
        wires(&graph).contains(&"a/relu:0 → a_2/conv:0".to_owned()),
        "{:?}",
        wires(&graph)
    );
    assert!(wires(&graph).contains(&"a_2/relu:0 → b/conv:0".to_owned()));
    assert!(window.keys().contains(&"a_2.conv.weight".to_owned()));
    assert!(window.is_tidy() && !window.app().document.inference().has_errors());
    window.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(names(&window.graph()), names(&before));
    // What cannot be chained says why, and there is nothing to press.
    window.select(&["data", "stem", "fc"]);
    window.key(Modifiers::COMMAND, Key::G);
    window.key(Modifiers::NONE, Key::Enter);
    window.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::D);
    assert!(window.shows("cannot be chained"));
    window.key(Modifiers::NONE, Key::Enter);
    window.key(Modifiers::NONE, Key::Escape);
    assert_eq!(window.graph().nodes().len(), before.nodes().len());
}

#[test]
fn a_layer_is_replaced_and_several_nodes_are_set_at_once() {
    let mut window = grouped();
    window.select(&["a/relu", "b/relu"]);
    window.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::R);
    assert!(window.shows("Replace 2 layers by"));
    window.typed("sigmoid");
    window.key(Modifiers::NONE, Key::Enter);
    let kind = |window: &mut Window, name: &str| {
        let graph = window.graph();
        graph
            .named(name, Phase::Train)
            .unwrap()
            .layer
            .to_ron()
            .unwrap()
    };
    for name in ["a/relu", "b/relu"] {
        assert!(kind(&mut window, name).starts_with("Sigmoid"));
    }
    window.key(Modifiers::COMMAND, Key::Z);
    assert!(
        kind(&mut window, "b/relu").starts_with("ReLU"),
        "one step for both"
    );
    // Several: what is the same is a field, what differs a dash that opens one.
    window.select(&["stem", "a/conv", "b/conv"]);
    assert!(window.shows("3 × Convolution"));
    window.click(Role::Button, "—");
    let field = {
        let mut fields = window.harness.get_all_by_role(Role::SpinButton);
        let eight = |node: &egui_kittest::Node<'_>| node.value().as_deref() == Some("8");
        fields.find(eight).unwrap().rect().center()
    };
    window.harness.drag_at(field);
    window.harness.drop_at(field);
    window.settle();
    window.key(Modifiers::COMMAND, Key::A);
    window.typed("12");
    window.key(Modifiers::NONE, Key::Enter);
    for name in ["stem", "a/conv", "b/conv"] {
        assert!(kind(&mut window, name).contains("num_output: 12"), "{name}");
    }
    window.app().document.undo();
    window.settle();
    let first = |window: &mut Window| (kind(window, "stem"), kind(window, "b/conv"));
    let (stem, b) = first(&mut window);
    assert!(stem.contains("num_output: 8") && b.contains("num_output: 16"));
}

#[test]
fn what_differs_from_another_project_is_marked_and_listed() {
    let mut window = grouped();
    window.key(Modifiers::COMMAND, Key::S);
    let path = window.folder.path().join("first.ron");
    window.type_path(&path);
    window.select(&["a/relu"]);
    window.key(Modifiers::NONE, Key::Delete);
    window.add("Dropout");
    window.run(CommandId::CompareSaved);
    assert!(window.shows("Compared with the saved version"));
    assert!(window.shows("+ 1") && window.shows("− 1"));
    let graph = window.graph();
    let drop = graph
        .nodes()
        .iter()
        .find(|node| node.name.starts_with("dropout"))
        .unwrap()
        .id;
    let marks = &window.app().editor.marks;
    assert_eq!(marks.differs[&drop], layerlab::gui::editor::Differs::Added);
    assert_eq!(marks.ghosts[0].name, "a/relu");
    // The other way: with a file.
    window.run(CommandId::EndComparison);
    window.run(CommandId::CompareFile);
    window.type_path(&path);
    assert!(window.shows("Compared with first.ron"));
    window.click(Role::Button, "End the comparison");
    assert!(window.app().editor.marks.differs.is_empty());
}

#[test]
fn the_minimap_moves_the_view_and_can_be_hidden() {
    let mut window = grouped();
    window.run(CommandId::ZoomFit);
    assert!(!window.shows("minimap"), "everything is in view");
    window.select(&["stem"]);
    window.run(CommandId::ZoomSelection);
    let map = window.harness.get_by_label("minimap").rect();
    let before = window.app().editor.to_window();
    window
        .harness
        .drag_at(map.right_center() - egui::vec2(12.0, 0.0));
    window
        .harness
        .drop_at(map.right_center() - egui::vec2(12.0, 0.0));
    window.settle();
    assert!(window.app().editor.to_window().translation.x < before.translation.x - 100.0);
    window.run(CommandId::Minimap);
    assert!(!window.shows("minimap") && !window.app().settings.minimap);
}

#[test]
fn a_project_without_places_is_laid_out_when_it_is_opened() {
    let mut window = grouped();
    let path = window.folder.path().join("row.ron");
    let mut project = window.app().document.project().clone();
    let ids: Vec<_> = project.graph.nodes().iter().map(|node| node.id).collect();
    for id in ids {
        project.graph.node_mut(id).unwrap().position = [0.0; 2];
    }
    project.save(&path).unwrap();
    window.app().open(path);
    window.settle();
    assert!(window.is_tidy());
    assert!(!window.app().document.is_dirty(), "nobody has changed it");
    assert!(!window.app().document.undo());
}

/// The window's own work per frame with a graph of 200 nodes open.
#[test]
fn a_graph_of_200_nodes_is_drawn_and_its_frames_are_timed() {
    let mut window = Window::open(None);
    window.run(CommandId::New);
    window
        .app()
        .document
        .edit(layerlab::i18n::Text::new("e", "e"), None, |project| {
            for n in 0..200usize {
                let kind = if n == 0 {
                    "Data"
                } else if n % 2 == 1 {
                    "Convolution"
                } else {
                    "ReLU"
                };
                let mut node = layerlab::graph::Node::new(
                    format!("n{n}"),
                    layerlab::layers::make(kind).unwrap(),
                );
                node.position = [(n % 20) as f32 * 220.0, (n / 20) as f32 * 140.0];
                if n > 0 {
                    node.inputs.set(
                        0,
                        Some(layerlab::graph::PortRef::new(format!("n{}", n - 1), 0)),
                    );
                }
                project.graph.add(node);
            }
        });
    window.run(CommandId::ZoomFit);
    let views = [
        ("all in view", CommandId::ZoomFit),
        ("a part in view", CommandId::ZoomSelection),
    ];
    for (what, zoom) in views {
        let first = window.graph().nodes()[5].id;
        window.app().selection = [first].into();
        window.run(zoom);
        window.harness.run_steps(10);
        window.app().frame_times.clear();
        window.harness.run_steps(120);
        let times = window.app().frame_times.clone();
        let (median, late) = (times.quantile(0.5), times.quantile(0.99));
        println!("200 nodes, {what}: median {median:.2} ms, 99 % {late:.2} ms");
        assert_eq!(window.graph().nodes().len(), 200);
        assert!(times.count() >= 120, "every frame is recorded");
    }
}
