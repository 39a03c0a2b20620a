//! Names of the sandbox's own that every pod can look up, whatever is before them: a Service has no
//! wildcard, but S3's virtual-host style needs one.
//!
//! Owns the lines that `CoreDNS`' configuration gets, between marks of ours, and taking them out
//! again. Pure. Source: `CoreDNS`' plugin `rewrite`, <https://coredns.io/plugins/rewrite/>; a name
//! is matched with its final dot, and `answer auto` gives the answer the name that was asked for.

use super::NAMESPACE;

/// Before our lines.
const BEGIN: &str = "# sandbox: names of its own";
/// After our lines.
const END: &str = "# sandbox: end";
/// How the block begins that answers for the cluster.
const SERVER: &str = ".:53 {";

/// A name that, with everything below it, is a Service of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name, such as `s3.localhost`.
    pub name: String,
    /// The name of the Service in the sandbox's own namespace.
    pub service: String,
}

/// The configuration with exactly these aliases; absent when it is not one that we know our way
/// about in.
#[must_use]
pub fn with(corefile: &str, aliases: &[Alias]) -> Option<String> {
    let bare = without(corefile);
    let at = bare.lines().position(|line| line.trim() == SERVER)?;
    let mut lines: Vec<String> = bare.lines().map(str::to_owned).collect();
    if !aliases.is_empty() {
        let rules = aliases.iter().flat_map(rules);
        let block = std::iter::once(BEGIN.to_owned()).chain(rules).chain([END.to_owned()]);
        let block = block.map(|line| format!("    {line}"));
        let after = lines.split_off(at + 1);
        lines.extend(block);
        lines.extend(after);
    }
    Some(lines.join("\n") + "\n")
}

/// The configuration without lines of ours.
fn without(corefile: &str) -> String {
    let mut ours = false;
    let mut kept = Vec::new();
    for line in corefile.lines() {
        match line.trim() {
            BEGIN => ours = true,
            END => ours = false,
            _ if ours => {}
            _ => kept.push(line),
        }
    }
    kept.join("\n") + "\n"
}

fn rules(alias: &Alias) -> [String; 2] {
    let service = format!("{}.{NAMESPACE}.svc.cluster.local", alias.service);
    let rule = |before: &str, name: &str| {
        let name = name.replace('.', r"\.");
        format!("rewrite stop name regex ^({before}){name}\\.$ {service} answer auto")
    };
    // The Service's own name needs no rule, only what is below it.
    [rule(r"(.+\.)?", &alias.name), rule(r".+\.", &service)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "\
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
    }
    reload
}
";

    fn s3() -> Alias {
        Alias { name: "s3.localhost".into(), service: "s3".into() }
    }

    #[test]
    fn names_are_put_in_once_and_taken_out_without_a_trace() {
        let with_names = with(PLAIN, &[s3()]).unwrap();
        insta::assert_snapshot!(with_names, @r"
        .:53 {
            # sandbox: names of its own
            rewrite stop name regex ^((.+\.)?)s3\.localhost\.$ s3.sandbox-system.svc.cluster.local answer auto
            rewrite stop name regex ^(.+\.)s3\.sandbox-system\.svc\.cluster\.local\.$ s3.sandbox-system.svc.cluster.local answer auto
            # sandbox: end
            errors
            kubernetes cluster.local in-addr.arpa ip6.arpa {
               pods insecure
            }
            reload
        }
        ");
        assert_eq!(with(&with_names, &[s3()]).unwrap(), with_names);
        assert_eq!(with(&with_names, &[]).unwrap(), PLAIN);
    }

    #[test]
    fn a_configuration_of_another_kind_is_left_alone() {
        assert_eq!(with("example.org:53 {\n}\n", &[s3()]), None);
    }
}
