//! Durations as text.

#![forbid(unsafe_code)]

use std::time::Duration;

/// A number with one of the units ns, us, ms and s.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.trim().parse::<f64>().ok()? * unit).ok()
}

/// A duration in whole numbers of the largest unit that it contains: for how long about something has lasted.
pub(crate) fn roughly(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_whole_number_of_the_largest_unit() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1000, "1s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (3_599_999, "59m"),
            (3_600_000, "1h"),
            (86_399_999, "23h"),
            (172_800_000, "2d"),
        ] {
            assert_eq!(roughly(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        let micros = Duration::from_micros;
        for (text, duration) in
            [("100ms", micros(100_000)), ("1.5s", micros(1_500_000)), ("2 us", micros(2))]
        {
            assert_eq!(parse(text), Some(duration), "{text}");
        }
        assert_eq!(parse("30ns"), Some(Duration::from_nanos(30)));
        for text in ["", "100", "ms", "-1ms", "1h", "nans", "1e400s", "100msx", "1 000ms"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
