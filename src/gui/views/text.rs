//! Text as the network writes it, token by token, with the newest weights while it trains.

use std::time::{Duration, Instant};

use egui::{RichText, ScrollArea, Slider, TextEdit, Ui};
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Feed};
use crate::graph::Graph;
use crate::gui::context::{Action, Ctx, View};
use crate::gui::plots::{empty_ui, percent, train_hint};
use crate::i18n::{tr, tr_format};
use crate::inspect::Sampler;
use crate::net::{Net, NetConfig};
use crate::train::{self, Snapshot};

/// Time that one frame gives to drawing, and the wait until the next.
const WORK: Duration = Duration::from_millis(4);
const PAUSE: Duration = Duration::from_millis(40);
/// Tokens that follow each snapshot; training brings new ones all the time.
const PORTION: usize = 400;
/// Tokens that stay on the screen.
const KEPT: usize = 4_000;

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct TextView {
    temperature: f64,
    /// What the network reads before it writes.
    begin: String,
    #[serde(skip)]
    writer: Option<Writer>,
}

impl Default for TextView {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            begin: "The ".to_owned(),
            writer: None,
        }
    }
}

/// A network that writes, and what it has written.
struct Writer {
    graph: Graph,
    precise: bool,
    net: Net,
    sampler: Sampler,
    /// Of the snapshot whose weights the network has.
    serial: u64,
    iteration: u64,
    tokens: Vec<u32>,
    /// Tokens still to draw.
    left: usize,
    problem: Option<String>,
}

impl View for TextView {
    fn ui(&mut self, ui: &mut Ui, ctx: &Ctx<'_>, _: &mut Vec<Action>) {
        let text_data = match ctx.data {
            Some(Ok(feed)) if feed.dataset().is_text() => feed,
            _ => {
                let hint = tr(
                    "Open the example “char-lstm”, or choose a .txt file as data.",
                    "请打开示例“char-lstm”，或选择一个 .txt 文件作为数据。",
                );
                return empty_ui(ui, tr("The data are no text", "数据不是文本"), hint);
            }
        };
        let Some(snapshot) = ctx.run.snapshot() else {
            return empty_ui(ui, tr("Nothing written yet", "尚未生成文本"), train_hint());
        };
        let dataset = text_data.dataset();
        if let Err(problem) = self.prepare(ctx, text_data, snapshot) {
            return empty_ui(
                ui,
                tr("This network cannot write", "该网络无法生成文本"),
                &problem,
            );
        }
        let restart = self.settings_ui(ui);
        let Some(writer) = &mut self.writer else {
            return;
        };
        if restart {
            writer.begin(dataset, &self.begin);
        }
        writer.write(self.temperature);
        if writer.left > 0 {
            ui.ctx().request_repaint_after(PAUSE);
        }
        writer.ui(ui, dataset);
    }
}

impl TextView {
    /// Makes the writer anew for another network, and gives it the newest weights.
    fn prepare(&mut self, ctx: &Ctx<'_>, feed: &Feed, snapshot: &Snapshot) -> Result<(), String> {
        let (graph, precise) = (&ctx.project.graph, ctx.project.precise);
        let serial = ctx.run.serial();
        if self
            .writer
            .as_ref()
            .is_none_or(|writer| writer.graph != *graph || writer.precise != precise)
        {
            let config = NetConfig {
                precise,
                ..NetConfig::default()
            };
            let net = Net::compile(graph, &train::facts(feed), config)
                .map_err(|error| error.to_string())?;
            let mut writer = Writer {
                graph: graph.clone(),
                precise,
                net,
                sampler: Sampler::new(0),
                serial: serial.wrapping_sub(1),
                iteration: 0,
                tokens: Vec::new(),
                left: 0,
                problem: None,
            };
            writer.load(snapshot, serial)?;
            writer.begin(feed.dataset(), &self.begin);
            self.writer = Some(writer);
        }
        match &mut self.writer {
            Some(writer) => writer.load(snapshot, serial),
            None => Ok(()),
        }
    }

    /// Whether to begin anew.
    fn settings_ui(&mut self, ui: &mut Ui) -> bool {
        let mut restart = false;
        ui.horizontal_wrapped(|ui| {
            ui.label(tr("temperature", "温度")).on_hover_text(tr(
                "Scores are divided by it before the softmax: below 1 the network keeps to what is likely, above 1 it dares more; 0 always takes the likeliest.",
                "Softmax 之前得分除以温度：小于 1 更保守，大于 1 更大胆；0 总是取最可能的词元。",
            ));
            ui.add(Slider::new(&mut self.temperature, 0.0..=2.0).max_decimals(2));
            ui.label(tr("begins with", "开头"));
            let field = TextEdit::singleline(&mut self.begin).desired_width(120.0);
            restart |= ui.add(field).lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            restart |= ui.button(tr("Write anew", "重新生成")).clicked();
        });
        restart
    }
}

impl Writer {
    fn load(&mut self, snapshot: &Snapshot, serial: u64) -> Result<(), String> {
        if self.serial == serial {
            return Ok(());
        }
        for (key, tensor) in &snapshot.weights {
            self.net
                .set_param(key, tensor.clone())
                .map_err(|error| error.to_string())?;
        }
        self.serial = serial;
        self.iteration = snapshot.iteration;
        self.left = PORTION;
        Ok(())
    }

    /// Reads the beginning; the state is new.
    fn begin(&mut self, dataset: &Dataset, begin: &str) {
        self.sampler = Sampler::new(self.iteration);
        self.tokens = dataset.tokens_of(begin);
        if self.tokens.is_empty() {
            // Something must be read before something can be written: the token of a new line,
            // or whatever the vocabulary has for it.
            self.tokens = dataset.tokens_of("\n");
            self.tokens.truncate(1);
        }
        self.left = PORTION;
        self.problem = None;
        for token in self.tokens.clone() {
            self.read(token);
        }
    }

    fn read(&mut self, token: u32) {
        if let Err(error) = self.sampler.read(&self.net, token) {
            self.problem = Some(error.to_string());
            self.left = 0;
        }
    }

    /// Draws as many tokens as a frame has time for.
    fn write(&mut self, temperature: f64) {
        let start = Instant::now();
        while self.left > 0 && start.elapsed() < WORK {
            let Some(token) = self.sampler.draw(temperature) else {
                self.left = 0;
                return;
            };
            self.tokens.push(token);
            self.left -= 1;
            self.read(token);
        }
        let surplus = self.tokens.len().saturating_sub(KEPT);
        self.tokens.drain(..surplus);
    }

    fn ui(&mut self, ui: &mut Ui, dataset: &Dataset) {
        let iteration = self.iteration;
        ui.horizontal_wrapped(|ui| {
            ui.weak(tr_format!(
                "iteration {iteration}; next:",
                "第 {iteration} 次迭代；下一个："
            ));
            let chances = self.sampler.probabilities();
            let mut ranked: Vec<usize> = (0..chances.len()).collect();
            ranked.sort_by(|a, b| chances[*b].total_cmp(&chances[*a]));
            for class in ranked.into_iter().take(5) {
                let name = dataset.class_name(class as u32);
                ui.label(RichText::new(format!("{name} {}", percent(chances[class]))).monospace());
            }
            if self.left == 0 && ui.small_button(tr("More", "继续")).clicked() {
                self.left = PORTION;
            }
        });
        if let Some(problem) = &self.problem {
            ui.colored_label(ui.visuals().error_fg_color, problem);
        }
        ui.separator();
        let area = ScrollArea::vertical()
            .auto_shrink(false)
            .stick_to_bottom(true);
        area.show(ui, |ui| {
            let text = RichText::new(dataset.text_of(&self.tokens)).monospace();
            ui.add(egui::Label::new(text).wrap().selectable(true));
        });
    }
}
