//! Losses that ask for a margin: hinge and contrastive.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{LOSS, labels_fit, pairs_fit, scalar};
use crate::choice;
use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, InputPorts, Layer,
    LayerSpec, Passed, Port, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::Text;
use crate::nn;

choice! {
    /// How a violated margin counts.
    HingeNorm {
        L1 = "l1" "by its size" "按大小",
        L2 = "l2" "by its square" "按平方",
    }
}

/// The multi-class support vector machine, each class against all others: scores (N, C, …) and
/// labels (N, …). Caffe's HingeLoss; with an InnerProduct before it and weight decay, a linear SVM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HingeLoss {
    pub norm: HingeNorm,
}

static HINGE: LayerSpec = LayerSpec {
    name: "HingeLoss",
    title: Text::new("Hinge loss (SVM)", "铰链损失（SVM）"),
    family: Family::Loss,
    role: Role::Loss,
    about: Text::new(
        "Wants the score of the right class above 1 and all others below −1; a full connection before it is a linear support vector machine.",
        "要求正确类别的得分大于 1，其余类别小于 −1；前接全连接层即为线性支持向量机。",
    ),
    formula: "L = (1/N) Σₙ Σ_c max(0, 1 + s_c x_c)^p,  s_c = −1 if c = yₙ, else 1",
    caffe: ("HingeLoss", "hinge_loss_param"),
};

impl HingeLoss {
    fn norm(&self) -> nn::HingeNorm {
        match self.norm {
            HingeNorm::L1 => nn::HingeNorm::L1,
            HingeNorm::L2 => nn::HingeNorm::L2,
        }
    }
}

impl Layer for HingeLoss {
    fn spec(&self) -> &'static LayerSpec {
        &HINGE
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("scores"), Port::labels("label")] })
    }

    fn outputs(&self) -> &'static [Port] {
        LOSS
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "Whether a violated margin counts by its size (L1) or its square (L2).",
            "违反间隔的程度按大小（L1）还是按平方（L2）计入。",
        );
        visitor.field(Field::choice("norm", &mut self.norm, about));
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        labels_fit(context, inputs[0], inputs[1], 1)?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let (x, labels) = (inputs[0].tensor(), inputs[1].tensor());
        let loss = nn::hinge_loss(x, labels, self.norm())?;
        Ok(Passed::new(loss, vec![x.clone(), labels.clone()]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let d_loss = only_gradient(gradients)?;
        let dx = nn::hinge_loss_backward(&saved[0], &saved[1], self.norm(), d_loss)?;
        Ok(Gradients::of_inputs([Some(dx), None]))
    }
}

/// Pulls the two descriptions of a similar pair together and pushes those of another pair apart,
/// up to a margin (Hadsell, Chopra and LeCun 2006): for siamese networks. `a` and `b` (N, …), and
/// labels (N) that are not 0 where the two are similar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContrastiveLoss {
    pub margin: f64,
    pub legacy_version: bool,
}

impl Default for ContrastiveLoss {
    fn default() -> Self {
        Self {
            margin: 1.0,
            legacy_version: false,
        }
    }
}

static CONTRASTIVE: LayerSpec = LayerSpec {
    name: "ContrastiveLoss",
    title: Text::new("Contrastive loss", "对比损失"),
    family: Family::Loss,
    role: Role::Loss,
    about: Text::new(
        "Pulls the two halves of a similar pair together and pushes those of another pair apart, up to a margin: for siamese networks.",
        "把相似的一对拉近，把不相似的一对推开，直到间隔为止：用于孪生网络。",
    ),
    formula: "L = 1/(2N) Σₙ [y d² + (1 − y) max(0, m − d)²],  d = ‖aₙ − bₙ‖",
    caffe: ("ContrastiveLoss", "contrastive_loss_param"),
};

impl ContrastiveLoss {
    fn options(&self) -> nn::Contrastive {
        nn::Contrastive {
            margin: self.margin,
            legacy: self.legacy_version,
        }
    }
}

impl Layer for ContrastiveLoss {
    fn spec(&self) -> &'static LayerSpec {
        &CONTRASTIVE
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(
            const {
                &[
                    Port::tensor("a"),
                    Port::tensor("b"),
                    Port::labels("similar"),
                ]
            },
        )
    }

    fn outputs(&self) -> &'static [Port] {
        LOSS
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "How far apart pairs that are not similar must be.",
            "不相似的一对至少应相距多远。",
        );
        visitor.field(Field::real("margin", &mut self.margin, 0.0..=1e6, about));
        let about = Text::new(
            "Push with max(0, m − d²) as Caffe once did, instead of the paper's max(0, m − d)².",
            "按 Caffe 旧版的 max(0, m − d²) 推开，而非论文的 max(0, m − d)²。",
        );
        visitor.field(Field::flag(
            "legacy_version",
            &mut self.legacy_version,
            about,
        ));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        pairs_fit(inputs[0], inputs[1], inputs[2])?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let saved: Vec<Tensor> = inputs.iter().map(|value| value.tensor().clone()).collect();
        let loss = nn::contrastive_loss(&saved[0], &saved[1], &saved[2], &self.options())?;
        Ok(Passed::new(loss, saved))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let (options, d_loss) = (self.options(), only_gradient(gradients)?);
        let (a, b, similar) = (&saved[0], &saved[1], &saved[2]);
        let (da, db) = nn::contrastive_loss_backward(a, b, similar, &options, d_loss)?;
        Ok(Gradients::of_inputs([Some(da), Some(db), None]))
    }
}
