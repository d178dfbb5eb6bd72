//! Learning-rate policies: two of them one after the other, drawn, written for Caffe, and tried
//! on a noisy slope.

use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;

use super::{Bench, Chapter, Control, Figure, LabError, Settings};
use crate::i18n::Text;
use crate::train::{Policy, Schedule, Solver, Stage};

pub static BENCH: Bench = Bench {
    id: "policies",
    chapter: Chapter::Optimisation,
    title: Text::new("Learning-rate policies", "学习率策略"),
    about: Text::new(
        "The learning rate follows the iteration: large at first, to get far, and small at the end, to come to rest. Caffe's policies, and two newer ones, each a formula.",
        "学习率随迭代变化：开始时大，以便走得远；结束时小，以便停得稳。Caffe 的各种策略以及两种较新的策略，每种都是一个公式。",
    ),
    what_to_try: Text::new(
        "Choose a policy and drag its orange handle; add a second one behind it; add a warm-up. Compare where each comes to rest on the noisy slope. Then give it to the project and watch the curve of the live run follow it.",
        "选择一种策略并拖动橙色手柄；在后面接上第二种；加上预热。比较各策略在带噪斜坡上停在哪里。然后应用到项目，观察实际训练的学习率曲线。",
    ),
    what_to_notice: Text::new(
        "With gradients of single batches, a fixed rate never comes to rest: it trembles around the minimum, the more the larger the rate. Every policy that ends near zero gets closer.",
        "梯度来自单个批次时，固定学习率永远停不下来：它在极小值附近抖动，学习率越大抖得越厉害。凡是最终趋近零的策略都能更接近极小值。",
    ),
    formula: "fixed η₀\nstep η₀ γ^int(t/s)\nexp η₀ γ^t\ninv η₀ (1 + γ t)^−p\npoly η₀ (1 − t/T)^p\nsigmoid η₀ / (1 + e^(−γ(t − s)))\ncosine η₀ (1 + cos(π t/T)) / 2",
    takeaway: Text::new(
        "Begin with a rate as large as the curvature allows and let it fall: a fixed rate leaves the noise of the batches in the weights.",
        "以曲率允许的最大学习率起步，再让它下降：固定学习率会把批次噪声留在权重里。",
    ),
    project: (
        "lenet-digits",
        Text::new(
            "Its stage uses the policy “inv”, as Caffe's own LeNet; the rate is drawn under the curves.",
            "其训练阶段使用 inv 策略（与 Caffe 的 LeNet 相同）；曲线面板下方绘有学习率。",
        ),
    ),
    controls: CONTROLS,
    stages: Some(stages),
    demonstrate,
};

/// The policies by their places, in the order of [`Policy::all`].
pub const POLICIES: &[(&str, Text)] = &[
    ("fixed", Text::new("fixed", "fixed（固定）")),
    ("step", Text::new("step", "step（等间隔下降）")),
    (
        "multistep",
        Text::new("multistep", "multistep（指定步下降）"),
    ),
    ("exp", Text::new("exp", "exp（指数）")),
    ("inv", Text::new("inv", "inv（反比）")),
    ("poly", Text::new("poly", "poly（多项式）")),
    ("sigmoid", Text::new("sigmoid", "sigmoid")),
    ("cosine", Text::new("cosine", "cosine（余弦）")),
];

static CONTROLS: &[Control] = &[
    Control::choice(
        "first",
        Text::new("First policy", "第一段策略"),
        POLICIES,
        1,
        Text::new("From the first iteration on.", "从第一次迭代开始。"),
    ),
    Control::choice(
        "second",
        Text::new("Second policy", "第二段策略"),
        POLICIES,
        7,
        Text::new(
            "Behind the first one, if there is room left.",
            "接在第一段之后（若有剩余）。",
        ),
    ),
    Control::number(
        "share",
        Text::new("Share of the first", "第一段占比"),
        (0.1, 1.0, 1.0),
        Text::new(
            "Of all iterations; at 1 there is no second one.",
            "占总迭代数的比例；为 1 时没有第二段。",
        ),
    ),
    Control::log_number(
        "base_lr",
        Text::new("Base rate η₀", "基础学习率 η₀"),
        (0.0001, 0.1, 1.0),
        Text::new("Where the policy begins.", "策略的起始值。"),
    ),
    Control::number(
        "gamma",
        Text::new("γ of step and multistep", "step 与 multistep 的 γ"),
        (0.05, 0.5, 1.0),
        Text::new(
            "What each step multiplies the rate by.",
            "每次下降所乘的系数。",
        ),
    ),
    Control::number(
        "fall",
        Text::new("Rate at the end, exp and inv", "exp 与 inv 的终值比例"),
        (0.001, 0.05, 1.0),
        Text::new(
            "As a part of the base rate; γ follows from it.",
            "相对基础学习率的比例；γ 由它算出。",
        ),
    ),
    Control::number(
        "power",
        Text::new("Power of poly and inv", "poly 与 inv 的 power"),
        (0.25, 1.0, 4.0),
        Text::new("How bent the curve is.", "曲线的弯曲程度。"),
    ),
    Control::number(
        "step",
        Text::new("Step size", "步长"),
        (0.05, 0.25, 1.0),
        Text::new(
            "Between two falls, or the middle of sigmoid: a part of all iterations.",
            "两次下降之间的间隔，或 sigmoid 的中点：占总迭代数的比例。",
        ),
    ),
    Control::count(
        "warmup",
        Text::new("Warm-up", "预热"),
        (0, 0, 500),
        Text::new(
            "Iterations over which the rate grows from 0.",
            "学习率从 0 增长到位所用的迭代数。",
        ),
    ),
    Control::count(
        "iterations",
        Text::new("Iterations", "迭代次数"),
        (100, 1000, 20_000),
        Text::new("Of the whole run.", "整个训练的迭代数。"),
    ),
];

/// The policy of that place, with the settings' numbers, over so many iterations.
pub fn policy(place: usize, settings: &Settings, iterations: u64) -> Policy {
    let total = iterations.max(1) as f64;
    let part = |share: f64| ((share * total).round() as u64).max(1);
    let stepsize = part(settings.number("step"));
    let (gamma, power) = (settings.number("gamma"), settings.number("power"));
    let fall = settings.number("fall");
    match place {
        1 => Policy::Step { gamma, stepsize },
        2 => Policy::Multistep {
            gamma,
            stepvalues: vec![part(0.5), part(0.75), part(0.9)],
        },
        3 => Policy::Exp {
            gamma: fall.powf(1.0 / total),
        },
        4 => Policy::Inv {
            gamma: (fall.powf(-1.0 / power) - 1.0) / total,
            power,
        },
        5 => Policy::Poly { power },
        6 => Policy::Sigmoid {
            gamma: -20.0 / total,
            stepsize,
        },
        7 => Policy::Cosine,
        _ => Policy::Fixed,
    }
}

/// The one or two stages that the settings say.
pub fn stages(settings: &Settings) -> Vec<Stage> {
    let all = settings.count("iterations") as u64;
    let first = ((all as f64 * settings.number("share")).round() as u64).clamp(1, all);
    let stage = |name: &str, key, iterations, warmup| Stage {
        name: name.to_owned(),
        iterations,
        solver: Solver {
            base_lr: settings.number("base_lr"),
            policy: policy(settings.count(key), settings, iterations),
            warmup,
            ..Solver::default()
        },
        ..Stage::default()
    };
    let warmup = settings.count("warmup") as u64;
    let mut stages = vec![stage("first", "first", first, warmup)];
    if first < all {
        stages.push(stage("second", "second", all - first, 0));
    }
    stages
}

/// The learning rate at every iteration.
pub fn rates(stages: &[Stage]) -> Vec<f64> {
    let schedule = Schedule::new(stages.to_vec(), None);
    let place = |t| schedule.place(t).map(|place| place.rate(t, &[]));
    (0..schedule.total()).map_while(place).collect()
}

/// Descent on ½ x² with unit noise in every gradient: the mean of x² over the last tenth, for
/// many balls.
pub fn rest(rates: &[f64]) -> f64 {
    const BALLS: usize = 64;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut balls = [3.0f64; BALLS];
    let from = rates.len() - rates.len() / 10 - 1;
    let (mut sum, mut count) = (0.0, 0);
    for (t, rate) in rates.iter().enumerate() {
        for x in &mut balls {
            let noise: f64 = rand_distr::StandardNormal.sample(&mut random);
            *x -= rate * (*x + noise);
            if t >= from {
                sum += *x * *x;
                count += 1;
            }
        }
    }
    sum / f64::from(count.max(1))
}

fn demonstrate(settings: &Settings) -> Result<Vec<Figure>, LabError> {
    let rates_now = rates(&stages(settings));
    let last = rates_now.len().saturating_sub(1);
    let quarters = [0, last / 4, last / 2, 3 * last / 4, last];
    let iterations = settings.count("iterations") as u64;
    let rows = POLICIES.iter().enumerate().map(|(place, (key, _))| {
        let solver = Solver {
            base_lr: settings.number("base_lr"),
            policy: policy(place, settings, iterations),
            ..Solver::default()
        };
        let stage = Stage {
            iterations,
            solver,
            ..Stage::default()
        };
        let rates = rates(&[stage]);
        let end = rates.last().copied().unwrap_or(f64::NAN);
        (
            (*key).to_owned(),
            vec![end, rates.iter().sum(), rest(&rates)],
        )
    });
    Ok(vec![
        Figure::series(
            "rates",
            Text::new(
                "Rate at the start, the quarters and the end",
                "起点、各四分点与终点的学习率",
            ),
            quarters.map(|t| rates_now[t]).to_vec(),
        ),
        Figure::number(
            "rest",
            Text::new(
                "Mean x² at the end of the noisy slope",
                "带噪斜坡终点的 x² 均值",
            ),
            rest(&rates_now),
        ),
        Figure::table(
            "policies",
            Text::new("Each policy alone", "各策略单独使用"),
            &["last rate", "sum of rates", "rest"],
            rows.collect(),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_rate_rests_where_theory_says_and_falling_ones_lower() {
        // For x ← (1 − η) x + η ε, the variance settles at η / (2 − η).
        let fixed = rest(&[0.1; 3000]);
        assert!((fixed / (0.1 / 1.9) - 1.0).abs() < 0.05, "{fixed}");
        let settings = Settings::of(&BENCH);
        for place in [3, 4, 5, 7] {
            let stage = Stage {
                solver: Solver {
                    base_lr: 0.1,
                    policy: policy(place, &settings, 1000),
                    ..Solver::default()
                },
                ..Stage::default()
            };
            let found = rest(&rates(&[stage]));
            assert!(found < 0.5 * fixed, "{place}: {found}");
        }
    }

    #[test]
    fn the_places_are_those_of_the_policies_and_two_follow_each_other() {
        let mut settings = Settings::of(&BENCH);
        for (place, policy_there) in Policy::all().iter().enumerate() {
            assert_eq!(POLICIES[place].0, policy_there.name());
            assert_eq!(policy(place, &settings, 100).name(), policy_there.name());
        }
        settings.set_text("share=0.5").unwrap();
        settings.set_text("first=fixed").unwrap();
        let stages = stages(&settings);
        let rates = rates(&stages);
        assert_eq!((stages.len(), rates.len()), (2, 1000));
        assert_eq!((rates[0], rates[499], rates[500]), (0.1, 0.1, 0.1));
        assert!(rates[999] < 1e-3);
    }
}
