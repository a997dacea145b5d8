//! Access tokens that must not be believed, and the vectors of the RFCs for what verifies them.

#![allow(
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use crm_core::identity::{Arrival, Identity, Registration, TokenAlgorithm, TokenKey, TokenKeys};
use crm_core::memory::MemoryStore;
use crm_core::ports::{Clock, SystemRandomness};
use crm_core::{Crm, ErrorKind, Timestamp};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;

#[derive(Clone)]
struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0 * 1_000_000).unwrap()
    }
}

fn at(seconds: i64) -> Timestamp {
    At(seconds).now()
}

fn key(algorithm: TokenAlgorithm) -> TokenKey {
    TokenKey::generate(algorithm, &SystemRandomness).unwrap()
}

fn copy(key: &TokenKey) -> TokenKey {
    TokenKey::from_base64(key.algorithm(), key.to_base64().reveal()).unwrap()
}

fn identity(crm: &Crm) -> Identity {
    let request_id = crm.new_request_id().unwrap();
    crm.identity(Arrival { request_id, address: None, user_agent: None })
}

/// A token that a CRM with these keys has issued at [`NOW`], and the CRM.
async fn issued(store: &MemoryStore, keys: TokenKeys) -> (Crm, String) {
    let crm = Crm::builder(store.clone()).clock(At(NOW)).token_keys(keys).build().unwrap();
    let new = Registration {
        company_name: "Acme".into(),
        full_name: "Ada Lovelace".into(),
        email: "ada@acme.example".into(),
        password: "tangerine ledger boat".into(),
        default_region: None,
        invitation: None,
    };
    let registered = identity(&crm).register(new).await.unwrap();
    (crm, registered.tokens.access_token.reveal().to_owned())
}

fn json_of(part: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap()
}

fn part(value: &Value) -> String {
    BASE64.encode(value.to_string())
}

/// Signs with the key by the library that the CRM does not verify with.
fn signed(key: &TokenKey, header: &Value, claims: &str) -> String {
    let pkcs8 = base64::engine::general_purpose::STANDARD.decode(key.to_base64().reveal()).unwrap();
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap();
    let message = format!("{}.{}", part(header), BASE64.encode(claims));
    let signature = BASE64.encode(pair.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// Whether the signature is right by the published key set alone, without the library that made it.
fn verifies(set: &Value, token: &str) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let kid = json_of(message.split('.').next().unwrap())["kid"].clone();
    let jwk = set["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == kid).unwrap();
    assert_eq!(jwk["use"], "sig");
    assert!(jwk.get("d").is_none(), "a private key is published: {jwk}");
    let bytes = |name: &str| BASE64.decode(jwk[name].as_str().unwrap()).unwrap();
    let (message, signature) = (message.as_bytes(), BASE64.decode(signature).unwrap());
    let checked = match jwk["kty"].as_str().unwrap() {
        "OKP" => UnparsedPublicKey::new(&ED25519, bytes("x")).verify(message, &signature),
        "EC" => {
            let point = [vec![4], bytes("x"), bytes("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &signature)
        }
        "RSA" => RsaPublicKeyComponents { n: bytes("n"), e: bytes("e") }.verify(
            &RSA_PKCS1_2048_8192_SHA256,
            message,
            &signature,
        ),
        other => panic!("a key of type {other}"),
    };
    checked.is_ok()
}

#[tokio::test]
async fn every_algorithm_signs_what_its_key_set_verifies() {
    for algorithm in TokenAlgorithm::ALL.iter().copied() {
        let (crm, token) = issued(&MemoryStore::default(), TokenKeys::new(key(algorithm))).await;
        let header = json_of(token.split('.').next().unwrap());
        assert_eq!(
            (&header["alg"], &header["typ"]),
            (&json!(algorithm.as_str()), &json!("at+jwt"))
        );
        let set = serde_json::to_value(crm.key_set()).unwrap();
        assert!(verifies(&set, &token), "{algorithm:?}");
        let swapped = issued(&MemoryStore::default(), TokenKeys::new(key(algorithm))).await.0;
        identity(&crm).authenticate(&token).await.unwrap();
        let refused = identity(&swapped).authenticate(&token).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
    }
}

#[tokio::test]
async fn what_is_not_ours_or_altered_is_refused() {
    let signing = key(TokenAlgorithm::EdDsa);
    let foreign = key(TokenAlgorithm::EdDsa);
    let other_algorithm = key(TokenAlgorithm::Es256);
    let keys = || TokenKeys::new(copy(&signing)).also_verify(copy(&other_algorithm));
    let (crm, token) = issued(&MemoryStore::default(), keys()).await;
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims) = (json_of(parts[0]), json_of(parts[1]));
    let text = claims.to_string();
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(&signing, &header, &claims.to_string())
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        signed(&signing, &header, &claims.to_string())
    };
    let headed = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        signed(&signing, &header, &text)
    };
    let unsigned = |alg: &str| {
        let mut header = header.clone();
        header["alg"] = json!(alg);
        format!("{}.{}.", part(&header), parts[1])
    };
    let confused = |secret: &[u8]| {
        let mut header = header.clone();
        header["alg"] = json!("HS256");
        let message = format!("{}.{}", part(&header), parts[1]);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", BASE64.encode(tag))
    };
    let no_kid = {
        let mut header = header.clone();
        header.as_object_mut().unwrap().remove("kid");
        signed(&signing, &header, &text)
    };
    let set = serde_json::to_value(crm.key_set()).unwrap();
    let jwk = &set["keys"][0];
    let public = BASE64.decode(jwk["x"].as_str().unwrap()).unwrap();
    let flipped = if parts[2].starts_with('A') { "B" } else { "A" };
    let again =
        |name: &str, value: &str| format!("{},\"{name}\":{value}}}", text.trim_end_matches('}'));

    // What the table changes was right before.
    for good in [signed(&signing, &header, &text), headed("typ", json!("application/at+jwt"))] {
        identity(&crm).authenticate(&good).await.unwrap();
    }
    let table = [
        ("nothing", String::new()),
        ("no token", "a.b.c".to_owned()),
        ("alg none", unsigned("none")),
        ("alg NoNe", unsigned("NoNe")),
        ("no signature", unsigned("EdDSA")),
        ("the public key as a secret", confused(&public)),
        ("the public key's text as a secret", confused(jwk.to_string().as_bytes())),
        ("a foreign key under our name", signed(&foreign, &header, &text)),
        ("an unknown key", headed("kid", json!(foreign.kid()))),
        ("no key named", no_kid),
        ("the key of another algorithm", headed("kid", json!(other_algorithm.kid()))),
        ("another algorithm", headed("alg", json!("ES256"))),
        ("another audience", with("aud", json!("others"))),
        ("no audience", without("aud")),
        ("another issuer", with("iss", json!("others"))),
        ("no issuer", without("iss")),
        ("an ID token", headed("typ", json!("JWT"))),
        ("no type", headed("typ", Value::Null)),
        ("a critical extension", headed("crit", json!(["exp"]))),
        ("over", with("exp", json!(NOW))),
        ("over for ever", with("exp", json!(-1))),
        ("no end", without("exp")),
        ("an end that is no number", with("exp", json!("2100-01-01"))),
        ("issued in the future", with("iat", json!(NOW + 3))),
        ("another user", with("sub", json!("019aa0f0-7d3a-7000-8000-000000000001"))),
        ("another tenant", with("tenant_id", json!("019aa0f0-7d3a-7000-8000-000000000001"))),
        ("another sign-in", with("sid", json!("019aa0f0-7d3a-7000-8000-000000000001"))),
        ("a claim twice", signed(&signing, &header, &again("sub", &claims["sub"].to_string()))),
        ("huge", format!("{token}{}", "A".repeat(5_000))),
        ("huge and signed", with("client_id", json!("x".repeat(5_000)))),
        ("cut off", token[..token.len() - 1].to_owned()),
        ("without the signature", format!("{}.{}", parts[0], parts[1])),
        ("a fourth part", format!("{token}.{}", parts[2])),
        ("altered claims", format!("{}.{}.{}", parts[0], part(&json!({"sub": "x"})), parts[2])),
        ("an altered signature", format!("{}.{}.{flipped}{}", parts[0], parts[1], &parts[2][1..])),
        ("padded", format!("{token}=")),
        ("after a blank", format!(" {token}")),
    ];
    for (name, token) in table {
        let answer = identity(&crm).authenticate(&token).await;
        let kind = answer.map(|_| ()).map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::Unauthenticated), "{name}");
    }
    // To the second.
    let checked = keys();
    let exp = claims["exp"].as_i64().unwrap();
    assert_eq!(exp, NOW + 300);
    checked.verify(&token, at(exp - 1)).unwrap();
    assert!(checked.verify(&token, at(exp)).is_err());
    checked.verify(&token, at(NOW - 2)).unwrap();
    assert!(checked.verify(&token, at(NOW - 3)).is_err());
}

#[tokio::test]
async fn keys_rotate_without_a_sign_out() {
    let (old, new) = (key(TokenAlgorithm::EdDsa), key(TokenAlgorithm::Rs256));
    let store = MemoryStore::default();
    let (_, token) = issued(&store, TokenKeys::new(copy(&old))).await;
    let node = |keys| Crm::builder(store.clone()).clock(At(NOW)).token_keys(keys).build().unwrap();
    // First the new key verifies everywhere, then it signs, then the old one goes.
    let prepared = TokenKeys::new(copy(&old)).also_verify(copy(&new));
    identity(&node(prepared)).authenticate(&token).await.unwrap();
    let rotated = node(TokenKeys::new(copy(&new)).also_verify(copy(&old)));
    identity(&rotated).authenticate(&token).await.unwrap();
    let set = serde_json::to_value(rotated.key_set()).unwrap();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    assert!(verifies(&set, &token));
    let done = node(TokenKeys::new(copy(&new)));
    assert!(identity(&done).authenticate(&token).await.is_err());
}

#[test]
fn a_key_is_read_as_it_was_written_and_no_other() {
    for algorithm in TokenAlgorithm::ALL.iter().copied() {
        let own = key(algorithm);
        assert_eq!(copy(&own).kid(), own.kid());
        for other in TokenAlgorithm::ALL.iter().copied().filter(|other| *other != algorithm) {
            assert!(TokenKey::from_base64(other, own.to_base64().reveal()).is_err(), "{other:?}");
        }
        let pkcs8 = own.to_base64();
        let half = &pkcs8.reveal()[..pkcs8.reveal().len() / 2];
        for bad in ["", "AAAA", "no base64!", half] {
            let error = TokenKey::from_base64(algorithm, bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{algorithm:?} {bad}");
        }
    }
}

#[tokio::test]
async fn keys_of_rsa_may_be_longer() {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    for size in [KeySize::Rsa2048, KeySize::Rsa3072, KeySize::Rsa4096] {
        let pair = KeyPair::generate(size).unwrap();
        let document: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let key = TokenKey::from_pkcs8(TokenAlgorithm::Rs256, document.as_ref()).unwrap();
        let (crm, token) = issued(&MemoryStore::default(), TokenKeys::new(key)).await;
        identity(&crm).authenticate(&token).await.unwrap();
        assert!(verifies(&serde_json::to_value(crm.key_set()).unwrap(), &token), "{size:?}");
    }
}

/// Of 1024 bits, made for this test.
const SHORT: &str = "\
    MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBAMKm1pigcLlBSEDnu3osSbNZiYTJyu2e4gYbj1xRbbVl\
    MYfb6tqvIdE3asXZtvQD8qXuf2+MTczEsd+4G/kMru0FqheZj1VAb4eSJf8pp0j+Fxy7kQp/6zjg7nr840w63pCs0Tln\
    DTmazi2B6iBzPKIyB0zT1/eHiYaIW3tmwKk3AgMBAAECgYAJpZsdFVaA1+tszA9OjsNYUCewnQ+hly48f0Eroh19z/YU\
    daG+FM/oPobcJ14Z2dg8wQUv0hRJAbaPD+DTBv3kSx7EQe47yzCiHPDtepI3NaPRTfOF86eJ7m9ArsafAiWPhJzGIxxq\
    9QDaXcFhWT+7BT3/HpCMBZkuw9wk852SAQJBAPL9dYtC5+RBjnaIb/oa5Y1WE/eV6ApFvrBT6vM5FHVfElIkvbFvKpJ+\
    iGmGaBtRSVZ3YK24E10KJWsFrcdDwJECQQDNEtRxulIic4uVs3ADbz4/9ran20zFSt6bEm9nq6dRHkJIDL1LfClnOP69\
    7T+z5LSGW9/PItcSIHRDkaQGsrFHAkBKy4P8CuswUpGUoOi+9rqEJ+PbiRQ03UUWJ66hkYdfnZUZHeAaFtrm3vYEbW/s\
    QLgvWm2y639iWzYrXEMinBNRAkBkNqFuehiNEV3S5/8DDqei5lNYL8iSWQXzTcz3ImD/OQQ25VLTwncRJD8IXRnWNRsq\
    1VbHiEUFbKqkIlW/mC8dAkApzQxBpVe0Jdgc0iyvznUvBvD0BZSTdW/S0ZLcgviNgcYesPSoxMw0MjHBLUDZbL1Tu2xE\
    PKNvwKWRFTdJXfo4";

#[test]
fn keys_of_rsa_have_a_least_length() {
    use aws_lc_rs::rsa::KeyPair;
    use base64::engine::general_purpose::STANDARD;
    let bits = |key: &str| {
        let pair = KeyPair::from_pkcs8(&STANDARD.decode(key).unwrap());
        pair.map(|pair| pair.public_modulus_len() * 8).map_err(|error| error.to_string())
    };
    assert_eq!(bits(SHORT), Err("TooSmall".to_owned()));
    let short = TokenKey::from_base64(TokenAlgorithm::Rs256, SHORT).unwrap_err();
    assert_eq!(short.fields()[0].code, "invalid_key");
    assert_eq!(bits(key(TokenAlgorithm::Rs256).to_base64().reveal()), Ok(3072));
}

/// RFC 8037, A.4: what verifies our signatures verifies the published one.
#[test]
fn the_vector_of_rfc_8037_verifies() {
    let set = json!({"keys": [{
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": null,
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }]});
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(verifies(&set, token));
    let altered = token.replace(".RXh", ".RXi");
    assert!(!verifies(&set, &altered));
}
