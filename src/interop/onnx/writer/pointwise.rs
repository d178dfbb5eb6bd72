//! Functions of every number by itself, and Softmax.

use super::{Form, Formed, Name, unsaid};
use crate::interop::onnx::encode::{Attribute, FLOAT};
use crate::layers::{ELU, Exp, Log, Power, ReLU, Softmax, Threshold};

impl Form<'_, '_> {
    pub(super) fn pointwise(&mut self) -> Formed {
        let name = self.node.layer.spec().name;
        let (x, _) = self.x()?;
        match name {
            "ReLU" => {
                let slope = self.layer::<ReLU>()?.negative_slope;
                match slope == 0.0 {
                    true => self.last("Relu", &[&x], &[]),
                    false => self.last("LeakyRelu", &[&x], &[Attribute::Real("alpha", slope)]),
                }
            }
            "Sigmoid" => self.last("Sigmoid", &[&x], &[]),
            "TanH" => self.last("Tanh", &[&x], &[]),
            "AbsVal" => self.last("Abs", &[&x], &[]),
            "BNLL" => self.last("Softplus", &[&x], &[]),
            "ELU" => {
                let alpha = self.layer::<ELU>()?.alpha;
                self.last("Elu", &[&x], &[Attribute::Real("alpha", alpha)])
            }
            "Power" => self.power(x),
            "Exp" => {
                let layer: Exp = self.layer()?;
                let log = log_of_base(layer.base);
                let x = self.line(x, log * layer.scale, log * layer.shift);
                self.last("Exp", &[&x], &[])
            }
            "Log" => self.log(x),
            "Threshold" => {
                let threshold = self.layer::<Threshold>()?.threshold;
                let threshold = self.number(threshold);
                let name = self.node.name.clone();
                let above = self.step_named(&name, "Greater", &[&x, &threshold], &[]);
                let to = Attribute::Integer("to", FLOAT as i64);
                self.last_named(&format!("{name}_cast"), "Cast", &[&above], &[to])
            }
            "Softmax" => {
                let axis = self.layer::<Softmax>()?.axis;
                self.last("Softmax", &[&x], &[Attribute::Integer("axis", axis)])
            }
            _ => Err(unsaid()),
        }
    }

    /// scale · x + shift, where that changes anything.
    fn line(&mut self, mut x: Name, scale: f64, shift: f64) -> Name {
        if scale != 1.0 {
            let scale = self.number(scale);
            x = self.step("Mul", &[&x, &scale], &[]);
        }
        if shift != 0.0 {
            let shift = self.number(shift);
            x = self.step("Add", &[&x, &shift], &[]);
        }
        x
    }

    /// The first of its operators has the node's name: reading joins the others to it.
    fn power(&mut self, x: Name) -> Formed {
        let layer: Power = self.layer()?;
        let steps = [
            ("Mul", layer.scale, layer.scale != 1.0),
            ("Add", layer.shift, layer.shift != 0.0),
            ("Pow", layer.power, layer.power != 1.0),
        ];
        let steps: Vec<(&str, f64)> = (steps.iter())
            .filter(|(_, _, counts)| *counts)
            .map(|(op, number, _)| (*op, *number))
            .collect();
        let name = self.node.name.clone();
        let Some(last) = steps.len().checked_sub(1) else {
            return self.last("Identity", &[&x], &[]);
        };
        let mut x = x;
        for (index, (op, number)) in steps.into_iter().enumerate() {
            let number = self.number(number);
            let called = match index {
                0 => name.clone(),
                _ => format!("{name}_{}", op.to_lowercase()),
            };
            match index == last {
                true => self.last_named(&called, op, &[&x, &number], &[])?,
                false => x = self.step_named(&called, op, &[&x, &number], &[]),
            }
        }
        Ok(())
    }

    fn log(&mut self, x: Name) -> Formed {
        let layer: Log = self.layer()?;
        let x = self.line(x, layer.scale, layer.shift);
        let log = log_of_base(layer.base);
        if log == 1.0 {
            return self.last("Log", &[&x], &[]);
        }
        let name = self.node.name.clone();
        let y = self.step_named(&name, "Log", &[&x], &[]);
        let factor = self.number(1.0 / log);
        self.last_named(&format!("{name}_mul"), "Mul", &[&y, &factor], &[])
    }
}

/// As Caffe has it, what is no base is e.
fn log_of_base(base: f64) -> f64 {
    if base > 0.0 { base.ln() } else { 1.0 }
}
