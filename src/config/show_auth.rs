//! Prints `[auth]` as TOML. Tokens and keys that are secret read `***`.
//! Knows nothing of where a value came from, and of no other section.

use super::show::{Toml, list, quoted};
use super::{Auth, AuthMode, Jwt, JwtSources, Rights, StaticToken};

/// The keys of the section, and the tables inside it.
pub(super) fn auth(auth: &Auth) -> String {
    let Auth { mode, tokens, allow_anonymous, allowed_origins } = auth;
    let mut out = Toml::default();
    let mode_word = match mode {
        AuthMode::None => "none",
        AuthMode::Tokens => "tokens",
        AuthMode::Jwt(_) => "jwt",
    };
    out.key("mode", quoted(mode_word));
    out.key("allow_anonymous", allow_anonymous);
    out.key("allowed_origins", list(allowed_origins.iter().map(|origin| quoted(origin))));
    if let AuthMode::Jwt(own) = mode {
        jwt(own, &mut out);
    }
    tokens.iter().for_each(|each| token(each, &mut out));
    out.0
}

fn jwt(jwt: &Jwt, out: &mut Toml) {
    let Jwt { algorithms, keys: _, signing_key: _, sources, issuer, audience, leeway, max_grant_ttl } = jwt;
    let JwtSources { has_secret, public_key, jwks_file, has_signing_key } = sources;
    out.table("[auth.jwt]");
    out.key("algorithms", list(algorithms.iter().map(|algorithm| quoted(algorithm.name()))));
    let hidden = |is_there: bool| is_there.then(|| quoted("***"));
    out.optional("secret", hidden(*has_secret));
    out.optional("public_key", public_key.as_deref().map(quoted));
    out.optional("jwks_file", jwks_file.as_deref().map(quoted));
    out.optional("signing_key", hidden(*has_signing_key));
    out.optional("issuer", issuer.as_deref().map(quoted));
    out.optional("audience", audience.as_deref().map(quoted));
    out.key("leeway_s", leeway.as_secs());
    out.key("max_grant_ttl_s", max_grant_ttl.as_secs());
}

fn token(token: &StaticToken, out: &mut Toml) {
    let StaticToken { subject, token, rights, may_grant } = token;
    let Rights { backends, functions, max_session } = rights;
    out.table("[[auth.tokens]]");
    out.key("subject", quoted(subject));
    out.key("token", quoted(&token.to_string()));
    let names = |names: &Option<std::collections::BTreeSet<String>>| {
        names.as_ref().map(|names| list(names.iter().map(|name| quoted(name))))
    };
    out.optional("backends", names(backends));
    out.optional("functions", names(functions));
    out.optional("max_session_s", max_session.map(|limit| limit.as_secs().to_string()));
    out.key("may_grant", may_grant);
}
