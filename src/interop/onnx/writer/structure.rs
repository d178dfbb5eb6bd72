//! Layers that bend the flow.

use super::{Form, Formed, Name, unsaid};
use crate::i18n::tr;
use crate::interop::onnx::encode::{Attribute, FLOAT};
use crate::layers::{ArgMax, Concat, Eltwise, EltwiseOperation, Flatten, Maxout, Slice, Tile};

impl Form<'_, '_> {
    pub(super) fn structure(&mut self) -> Formed {
        match self.node.layer.spec().name {
            // In testing it does nothing.
            "Dropout" => {
                let (x, _) = self.x()?;
                self.give(0, x);
                Ok(())
            }
            "Silence" => Ok(()),
            "Flatten" => {
                let layer: Flatten = self.layer()?;
                let (x, _) = self.x()?;
                match layer == Flatten::default() {
                    true => self.last("Flatten", &[&x], &[Attribute::Integer("axis", 1)]),
                    false => self.reshape(),
                }
            }
            "Reshape" => self.reshape(),
            "Concat" => {
                let axis = self.layer::<Concat>()?.axis;
                let inputs = self.inputs.clone();
                let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
                self.last("Concat", &inputs, &[Attribute::Integer("axis", axis)])
            }
            "Slice" => self.slice(),
            "Tile" => self.tile(),
            "Maxout" => self.maxout(),
            "Eltwise" => self.eltwise(),
            _ => self.arg_max(),
        }
    }

    fn reshape(&mut self) -> Formed {
        let (x, from) = self.x()?;
        let sizes = self.sizes(&from, &self.output_shape())?;
        let sizes = self.integers("sizes", &sizes);
        self.last("Reshape", &[&x, &sizes], &[])
    }

    fn slice(&mut self) -> Formed {
        let layer: Slice = self.layer()?;
        let (x, shape) = self.x()?;
        let axis = if layer.axis < 0 {
            layer.axis + shape.rank() as i64
        } else {
            layer.axis
        };
        let axis = usize::try_from(axis).map_err(|_| unsaid())?;
        let outputs = self.info.outputs.clone().unwrap_or_default();
        let sizes = outputs
            .iter()
            .map(|shape| shape.dim(axis).map(|size| size as i64));
        let sizes: Option<Vec<i64>> = sizes.collect();
        let sizes = sizes.ok_or_else(|| {
            tr("the sizes of its parts are not known", "各部分大小未知").to_owned()
        })?;
        let sizes = self.integers("sizes", &sizes);
        let mut names = Vec::with_capacity(outputs.len());
        for port in 0..outputs.len() {
            let wanted = match port {
                0 => self.node.name.clone(),
                port => format!("{}:{port}", self.node.name),
            };
            let name = self.writer.free(&wanted);
            self.give(port, name.clone());
            names.push(name);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let axis = Attribute::Integer("axis", axis as i64);
        self.writer
            .push(&self.node.name, "Split", &[&x, &sizes], &names, &[axis]);
        Ok(())
    }

    fn tile(&mut self) -> Formed {
        let layer: Tile = self.layer()?;
        let (x, shape) = self.x()?;
        let rank = shape.rank();
        let axis = if layer.axis < 0 {
            layer.axis + rank as i64
        } else {
            layer.axis
        };
        let mut repeats = vec![1; rank];
        let slot = usize::try_from(axis)
            .ok()
            .and_then(|axis| repeats.get_mut(axis));
        *slot.ok_or_else(unsaid)? = layer.tiles as i64;
        let repeats = self.integers("repeats", &repeats);
        self.last("Tile", &[&x, &repeats], &[])
    }

    fn maxout(&mut self) -> Formed {
        let layer: Maxout = self.layer()?;
        let (x, _) = self.x()?;
        if layer.pieces == 1 {
            self.give(0, x);
            return Ok(());
        }
        let pieces: Vec<Name> = (0..layer.pieces)
            .map(|_| self.writer.free(&format!("{}.piece", self.node.name)))
            .collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let name = format!("{}_split", self.node.name);
        self.writer.push(
            &name,
            "Split",
            &[&x],
            &pieces,
            &[Attribute::Integer("axis", 1)],
        );
        self.last("Max", &pieces, &[])
    }

    fn eltwise(&mut self) -> Formed {
        let layer: Eltwise = self.layer()?;
        let mut inputs = self.inputs.clone();
        let op = match (layer.operation, &layer.coeff[..]) {
            (EltwiseOperation::Sum, [1.0, -1.0]) => "Sub",
            (EltwiseOperation::Sum, coeff) => {
                for (input, coeff) in inputs.iter_mut().zip(coeff) {
                    if *coeff != 1.0 {
                        let coeff = self.number(*coeff);
                        *input = self.step("Mul", &[input, &coeff], &[]);
                    }
                }
                if inputs.len() == 2 { "Add" } else { "Sum" }
            }
            (EltwiseOperation::Max, _) => "Max",
            // Two at a time.
            (EltwiseOperation::Product, _) => {
                while inputs.len() > 2 {
                    let product = self.step("Mul", &[&inputs[0], &inputs[1]], &[]);
                    inputs.splice(..2, [product]);
                }
                "Mul"
            }
        };
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.last(op, &inputs, &[])
    }

    fn arg_max(&mut self) -> Formed {
        let layer: ArgMax = self.layer()?;
        let (mut x, _) = self.x()?;
        let axis = match layer.axis {
            Some(axis) => axis as i64,
            None => {
                x = self.flat(&x);
                1
            }
        };
        let wants = match (layer.axis, layer.out_max_val) {
            (Some(_), true) => [false, true],
            (_, values) => [true, values],
        };
        let (places, values) = self.largest(&x, axis, layer.top_k, wants);
        if layer.axis.is_some() {
            return match (places, values) {
                (Some(places), _) => {
                    let to = Attribute::Integer("to", FLOAT as i64);
                    let name = format!("{}_cast", self.node.name);
                    self.last_named(&name, "Cast", &[&places], &[to])
                }
                (None, Some(values)) => {
                    self.give(0, values);
                    Ok(())
                }
                (None, None) => Err(unsaid()),
            };
        }
        let to = Attribute::Integer("to", FLOAT as i64);
        let mut rows = Vec::new();
        if let Some(places) = places {
            rows.push(self.step("Cast", &[&places], &[to]));
        }
        rows.extend(values);
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let both = self.step("Concat", &rows, &[Attribute::Integer("axis", 1)]);
        // Places, then values, k of each: the order that the layer has.
        let mut sizes: Vec<i64> = vec![0];
        let shape = self.output_shape();
        sizes.extend(shape.0.iter().skip(1).map(|size| size.unwrap_or(1) as i64));
        let sizes = self.integers("sizes", &sizes);
        self.last("Reshape", &[&both, &sizes], &[])
    }

    /// Places and values of the largest along an axis, as wanted. Of equal values the later comes
    /// first, where it is one only.
    fn largest(
        &mut self,
        x: &str,
        axis: i64,
        count: usize,
        [places, values]: [bool; 2],
    ) -> (Option<Name>, Option<Name>) {
        if count == 1 {
            let name = self.node.name.clone();
            let attributes = [
                Attribute::Integer("axis", axis),
                Attribute::Integer("select_last_index", 1),
            ];
            let places = places.then(|| self.step_named(&name, "ArgMax", &[x], &attributes));
            let axes = [Attribute::Integers("axes", vec![axis])];
            let values = values.then(|| self.step("ReduceMax", &[x], &axes));
            return (places, values);
        }
        let count = self.integers("k", &[count as i64]);
        let both = ["values", "places"].map(|what| {
            let wanted = format!("{}.{what}", self.node.name);
            self.writer.free(&wanted)
        });
        self.writer.push(
            &self.node.name,
            "TopK",
            &[x, &count],
            &[&both[0], &both[1]],
            &[Attribute::Integer("axis", axis)],
        );
        let [found, at] = both;
        (places.then_some(at), values.then_some(found))
    }
}
