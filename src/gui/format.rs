//! Numbers as people read them.

/// Four digits at most and a unit: `520`, `25.1 k`, `61.1 M`.
pub fn count(n: u64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    if n < 10_000 {
        return n.to_string();
    }
    let value = n as f64;
    let (scale, unit) = UNITS
        .into_iter()
        .find(|(scale, _)| value >= *scale)
        .unwrap_or((1.0, ""));
    let scaled = value / scale;
    let decimals = if scaled < 10.0 {
        2
    } else if scaled < 100.0 {
        1
    } else {
        0
    };
    format!("{scaled:.decimals$} {unit}")
}

/// With separators between thousands: `1 250 858`.
pub fn exact(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = if unit > 0 && value < 100.0 { 1 } else { 0 };
    format!("{value:.decimals$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_short_and_right() {
        let cases: [(u64, &str); 6] = [
            (0, "0"),
            (9_999, "9999"),
            (10_000, "10.0 k"),
            (431_080, "431 k"),
            (61_100_840, "61.1 M"),
            (7_000_000_000, "7.00 G"),
        ];
        for (n, text) in cases {
            assert_eq!(super::count(n), text);
        }
        assert_eq!(super::exact(1_250_858), "1\u{202f}250\u{202f}858");
        assert_eq!(super::exact(99), "99");
        assert_eq!(super::bytes(999), "999 B");
        assert_eq!(super::bytes(2_500_000), "2.5 MB");
    }
}
