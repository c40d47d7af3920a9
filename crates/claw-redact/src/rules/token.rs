//! Tokens that begin as their maker's tokens do.

use super::Found;
use crate::text::{Class, Text, looks_random};

/// One maker's kind of token.
pub(crate) struct Token {
    kind: &'static str,
    /// How it begins, in this case.
    pub(crate) prefix: &'static str,
    /// What follows.
    class: Class,
    least: usize,
    /// It has to look like chance, as the prefix alone says little.
    random: bool,
}

const fn token(kind: &'static str, prefix: &'static str, class: Class, least: usize) -> Token {
    Token { kind, prefix, class, least, random: false }
}

const fn random(kind: &'static str, prefix: &'static str, class: Class, least: usize) -> Token {
    Token { kind, prefix, class, least, random: true }
}

/// All of them. To add one: a row.
pub(crate) const TOKENS: &[Token] = &[
    random("api-key", "sk-", Class::Url, 16),
    random("api-key", "sk_", Class::Word, 24),
    random("api-key", "rk_", Class::Word, 20),
    random("api-key", "pk_live_", Class::Word, 16),
    random("api-key", "gsk_", Class::Word, 20),
    random("api-key", "xai-", Class::Url, 20),
    random("api-key", "pplx-", Class::Url, 20),
    random("api-key", "tvly-", Class::Url, 16),
    random("api-key", "fc-", Class::Alnum, 24),
    random("api-key", "jina_", Class::Word, 20),
    random("api-key", "r8_", Class::Alnum, 20),
    random("api-key", "csk-", Class::Url, 20),
    random("api-key", "BSA", Class::Url, 24),
    token("github-token", "ghp_", Class::Alnum, 20),
    token("github-token", "gho_", Class::Alnum, 20),
    token("github-token", "ghu_", Class::Alnum, 20),
    token("github-token", "ghs_", Class::Alnum, 20),
    token("github-token", "ghr_", Class::Alnum, 20),
    token("github-token", "github_pat_", Class::Word, 20),
    token("gitlab-token", "glpat-", Class::Dotted, 16),
    token("gitlab-token", "gldt-", Class::Url, 16),
    token("gitlab-token", "glrt-", Class::Dotted, 16),
    token("gitlab-token", "glptt-", Class::Url, 16),
    token("gitlab-token", "glcbt-", Class::Dotted, 16),
    token("slack-token", "xoxb-", Class::Url, 10),
    token("slack-token", "xoxa-", Class::Url, 10),
    token("slack-token", "xoxp-", Class::Url, 10),
    token("slack-token", "xoxr-", Class::Url, 10),
    token("slack-token", "xoxs-", Class::Url, 10),
    token("slack-token", "xoxe-", Class::Url, 10),
    token("slack-token", "xoxe.", Class::Dotted, 10),
    token("slack-token", "xoxc-", Class::Url, 10),
    token("slack-token", "xoxd-", Class::Url, 10),
    token("slack-token", "xapp-", Class::Url, 10),
    token("aws-key", "AKIA", Class::Upper, 12),
    token("aws-key", "ASIA", Class::Upper, 12),
    token("aws-key", "ABIA", Class::Upper, 12),
    token("aws-key", "ACCA", Class::Upper, 12),
    token("google-key", "AIza", Class::Url, 30),
    token("google-token", "ya29.", Class::Dotted, 16),
    token("google-token", "GOCSPX-", Class::Url, 16),
    random("google-token", "1//0", Class::Url, 24),
    token("stripe-key", "whsec_", Class::Base64, 16),
    token("npm-token", "npm_", Class::Alnum, 30),
    token("pypi-token", "pypi-", Class::Url, 32),
    token("digitalocean-token", "dop_v1_", Class::Hex, 32),
    token("digitalocean-token", "doo_v1_", Class::Hex, 32),
    token("digitalocean-token", "dor_v1_", Class::Hex, 32),
    random("huggingface-token", "hf_", Class::Alnum, 24),
    token("tailscale-key", "tskey-", Class::Url, 10),
    token("sendgrid-key", "SG.", Class::Dotted, 40),
    random("mailgun-key", "key-", Class::Hex, 32),
    token("shopify-token", "shpat_", Class::Hex, 24),
    token("shopify-token", "shpss_", Class::Hex, 24),
    token("shopify-token", "shpca_", Class::Hex, 24),
    token("shopify-token", "shppa_", Class::Hex, 24),
    token("square-token", "sq0atp-", Class::Url, 20),
    token("square-token", "sq0csp-", Class::Url, 20),
    token("linear-key", "lin_api_", Class::Alnum, 20),
    random("notion-token", "ntn_", Class::Alnum, 24),
    random("notion-token", "secret_", Class::Alnum, 30),
    token("figma-token", "figd_", Class::Url, 20),
    random("databricks-token", "dapi", Class::Hex, 32),
    token("doppler-token", "dp.pt.", Class::Alnum, 20),
    token("doppler-token", "dp.st.", Class::Dotted, 20),
    token("vault-token", "hvs.", Class::Url, 20),
    token("vault-token", "hvb.", Class::Url, 20),
    token("vault-token", "hvr.", Class::Url, 20),
    token("age-key", "AGE-SECRET-KEY-1", Class::Upper, 40),
    token("atlassian-token", "ATATT3", Class::Base64, 30),
    token("newrelic-key", "NRAK-", Class::Upper, 20),
    token("grafana-token", "glc_", Class::Base64, 30),
    token("grafana-token", "glsa_", Class::Word, 30),
    token("sentry-token", "sntrys_", Class::Base64, 30),
    token("sentry-token", "sntryu_", Class::Hex, 40),
    token("postman-key", "PMAK-", Class::Url, 40),
    token("planetscale-token", "pscale_tkn_", Class::Dotted, 20),
    token("planetscale-token", "pscale_pw_", Class::Dotted, 20),
    token("supabase-token", "sbp_", Class::Hex, 32),
    token("docker-token", "dckr_pat_", Class::Url, 20),
    token("docker-token", "dckr_oat_", Class::Url, 20),
    token("terraform-token", ".atlasv1.", Class::Base64, 40),
    token("rubygems-key", "rubygems_", Class::Hex, 32),
    token("clojars-token", "CLOJARS_", Class::Hex, 40),
    random("netlify-token", "nfp_", Class::Alnum, 30),
    token("fly-token", "fm2_", Class::Base64, 30),
    token("fly-token", "fo1_", Class::Url, 30),
    token("buildkite-token", "bkua_", Class::Hex, 32),
    token("pulumi-token", "pul-", Class::Hex, 32),
    token("adafruit-key", "aio_", Class::Alnum, 24),
    token("jwt", "eyJ", Class::Dotted, 20),
    token("private-key", "b3BlbnNzaC1rZXktdjE", Class::Base64, 40),
    token("private-key", "LS0tLS1CRUdJTi", Class::Base64, 20),
    token("wechat-key", "wxp://", Class::Url, 16),
    random("aliyun-key", "LTAI", Class::Alnum, 12),
    random("tencent-key", "AKID", Class::Alnum, 28),
];

impl Token {
    /// Looks at a place where the prefix may stand.
    pub(crate) fn find(&self, text: Text, start: usize) -> Option<Found> {
        let end = start + self.prefix.len();
        let is_it = text.0.get(start..end) == Some(self.prefix.as_bytes());
        // In the middle of a word it is chance. A `%2F` and a `\n` are no words.
        let before = text.before(start);
        let is_escape = (start >= 3 && text.at(start - 3) == b'%')
            || (start >= 2 && text.at(start - 2) == b'\\');
        let starts = !Class::Word.has(before) || is_escape;
        if !is_it || !starts {
            return None;
        }
        let stop = text.end_of_broken(self.class, end);
        let body = &text.0[end..stop];
        let is_long = body.iter().filter(|byte| self.class.has(**byte)).count() >= self.least;
        let is_jwt = self.kind != "jwt" || body.contains(&b'.') || body.len() > 60;
        let fits = is_long && is_jwt && (!self.random || looks_random(body));
        fits.then_some(Found { kind: self.kind, start, end: stop })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_prefix_stands_twice() {
        let prefixes: BTreeSet<_> = TOKENS.iter().map(|token| token.prefix).collect();
        assert_eq!(prefixes.len(), TOKENS.len());
    }
}
