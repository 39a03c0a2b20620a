//! Results as `JUnit` XML, which every CI system reads.
//!
//! Owns the shape of that file. Must not write it anywhere.

use std::fmt::Write as _;
use std::time::Duration;

use crate::checks::{CheckResult, Evidence, Exchange};

/// Writes the results as one test suite.
#[must_use]
pub fn junit(suite: &str, results: &[CheckResult]) -> String {
    let failures = results.iter().filter(|result| !result.passed).count();
    let total: Duration = results.iter().map(|result| result.took).sum();
    let counts = format!(
        "name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" time=\"{}\"",
        escaped(suite),
        results.len(),
        seconds(total),
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<testsuites {counts}>\n  <testsuite {counts} skipped=\"0\">");
    for result in results {
        case(&mut xml, suite, result);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn case(xml: &mut String, suite: &str, result: &CheckResult) {
    let _ = writeln!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\">",
        escaped(suite),
        escaped(&result.name),
        seconds(result.took),
    );
    let detail = escaped(&result.detail);
    if result.passed {
        let _ = writeln!(xml, "      <system-out>{detail}</system-out>");
    } else {
        let text = escaped_text(&told(result));
        let _ =
            writeln!(xml, "      <failure message=\"{detail}\" type=\"check\">{text}</failure>");
    }
    xml.push_str("    </testcase>\n");
}

/// Everything known about a failure, as a person would want to read it.
fn told(result: &CheckResult) -> String {
    let attempts = if result.attempts == 1 { "attempt" } else { "attempts" };
    let mut text = format!("{}\nafter {} {attempts}\n", result.detail, result.attempts);
    match &result.evidence {
        None => {}
        Some(Evidence::Seen { asked, seen }) => {
            let _ = writeln!(text, "\n{asked}");
            if !seen.is_empty() {
                let _ = writeln!(text, "\n{seen}");
            }
        }
        Some(Evidence::Exchange(exchange)) => self::exchange(&mut text, exchange),
    }
    text
}

fn exchange(text: &mut String, exchange: &Exchange) {
    let Exchange { request, status, headers, body } = exchange;
    let _ = writeln!(text, "\n{request}");
    if let Some(status) = status {
        let _ = writeln!(text, "{status}");
    }
    for (name, value) in headers {
        let _ = writeln!(text, "{name}: {value}");
    }
    if !body.is_empty() {
        let _ = writeln!(text, "\n{body}");
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.3}", took.as_secs_f64())
}

/// For attributes, in which line breaks would become spaces.
fn escaped(text: &str) -> String {
    escaped_text(text).replace('\n', "&#10;").replace('\t', "&#9;")
}

fn escaped_text(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\n' | '\t' => xml.push(c),
            // XML 1.0 has no way to write the others, not even escaped.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => xml.push(c),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> [CheckResult; 2] {
        let good = CheckResult {
            name: "api is <healthy> & \"well\"".into(),
            passed: true,
            attempts: 1,
            took: Duration::from_millis(12),
            detail: "status 200".into(),
            evidence: None,
        };
        let bad = CheckResult {
            name: "greeting\u{1b}[31m".into(),
            passed: false,
            attempts: 7,
            took: Duration::from_millis(10_034),
            detail: "body does not match `a<b`, it begins with `no`".into(),
            evidence: Some(Evidence::Exchange(Exchange {
                request: "GET http://hello.localhost/ (at 127.0.0.1:8080)".into(),
                status: Some(200),
                headers: [("content-type".to_owned(), "text/html".to_owned())].into(),
                body: "<p>no\n\u{c}]]></p>".into(),
            })),
        };
        [good, bad]
    }

    #[test]
    fn the_report_is_as_ci_systems_expect_it() {
        insta::assert_snapshot!(junit("hello", &results()), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="hello" tests="2" failures="1" errors="0" time="10.046">
          <testsuite name="hello" tests="2" failures="1" errors="0" time="10.046" skipped="0">
            <testcase classname="hello" name="api is &lt;healthy&gt; &amp; &quot;well&quot;" time="0.012">
              <system-out>status 200</system-out>
            </testcase>
            <testcase classname="hello" name="greeting[31m" time="10.034">
              <failure message="body does not match `a&lt;b`, it begins with `no`" type="check">body does not match `a&lt;b`, it begins with `no`
        after 7 attempts

        GET http://hello.localhost/ (at 127.0.0.1:8080)
        200
        content-type: text/html

        &lt;p&gt;no
        ]]&gt;&lt;/p&gt;
        </failure>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn what_other_kinds_saw_is_told_too() {
        let [_, mut bad] = results();
        bad.evidence =
            Some(Evidence::Seen { asked: "PING (at x:6379)".into(), seen: "PANG".into() });
        assert!(junit("hello", &[bad]).contains("\n\nPING (at x:6379)\n\nPANG\n"));
    }

    #[test]
    fn no_results_are_a_valid_report() {
        assert!(junit("hello", &[]).contains("tests=\"0\" failures=\"0\""));
    }

    #[test]
    fn line_breaks_survive_in_attributes() {
        assert_eq!(escaped("a\nb\t\u{0}c"), "a&#10;b&#9;c");
    }
}
