//! `GET /shoppers/{shopperReference}/storedPaymentMethods`.

use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    adyen::sync::reconcile,
    domain::{
        reference::Reference,
        shopper_reference::ShopperReference,
        token::{Token, TokenStatus},
    },
    http::{
        answer::Viewer,
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
    store::StoreError,
};

use crate::{State, shopper};

/// The query parameters.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    /// True if to ask Adyen first.
    refresh: Refresh,
    /// Which of them to list; disabled ones are for the merchant alone.
    status: Wanted,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Refresh {
    True,
    #[default]
    False,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    #[default]
    Active,
    All,
}

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    shopper_reference: &'a ShopperReference,
    stored_payment_methods: Vec<StoredPaymentMethod<'a>>,
}

/// One stored payment method; what a shopper need not know is for the merchant alone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredPaymentMethod<'a> {
    stored_payment_method_id: &'a str,
    status: TokenStatus,
    /// The payment method, in Adyen's words.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Timestamp>,
    /// Since when Adyen's list lacks it, although it may be charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    unlisted_since: Option<Timestamp>,
    /// The payment that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<&'a str>,
    /// The order of that payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a Reference>,
}

/// Lists what a shopper stored, the oldest first.
pub async fn list(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    if let Caller::Checkout(token) = caller {
        let named = request.path_parameters();
        let own = token.shopper_reference.as_ref();
        if own.is_none_or(|own| named.first("shopperReference") != Some(own.as_str())) {
            return Err(edge::not_the_tokens(Code::WrongShopper, "shopperReference"));
        }
    }
    let shopper = shopper(request)?;
    let asked = list_query(request)?;
    if asked.status == Wanted::All && *caller != Caller::Merchant {
        return Err(Problem::new(
            Code::MerchantTokenRequired,
            "Only the merchant's backend lists disabled stored payment methods.",
        )
        .at("status"));
    }
    let mut tokens = match asked.refresh {
        Refresh::True => {
            let (adyen, account) = (&state.adyen, &state.merchant_account);
            reconcile(adyen, &state.tokens, account, &shopper, until).await?
        }
        Refresh::False => state.tokens.of_shopper(&shopper).await?,
    };
    tokens.retain(|token| asked.status == Wanted::All || token.status() == TokenStatus::Active);
    tokens.sort_by_key(Token::created_at);
    if *caller == Caller::Merchant {
        for token in &mut tokens {
            link(state, token).await?;
        }
    }
    let viewer = caller.into();
    let listed = Listed {
        shopper_reference: &shopper,
        stored_payment_methods: tokens
            .iter()
            .map(|token| StoredPaymentMethod::new(token, viewer))
            .collect(),
    };
    Ok(edge::json(StatusCode::OK, &listed))
}

/// Names the order of the payment that created a token: that may have learned of its payment
/// only after the token was told of.
async fn link(state: &State, token: &mut Token) -> Result<(), StoreError> {
    let (Some(payment), None) = (token.psp_reference().map(str::to_owned), token.reference())
    else {
        return Ok(());
    };
    let Some(reference) = state.orders.of_payment(&payment).await? else {
        return Ok(());
    };
    let act = |token: &mut Option<Token>| {
        if let Some(token) = token {
            token.link(&payment, &reference);
        }
        Ok::<_, StoreError>(())
    };
    if let (Some(linked), ()) = state.tokens.change(&token.key, act).await? {
        *token = linked;
    }
    Ok(())
}

fn list_query(request: &Request) -> Result<ListQuery, Problem> {
    let query = request.query_string_parameters();
    let asked: Map<String, Value> =
        query.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    edge::typed(asked)
}

impl<'a> StoredPaymentMethod<'a> {
    fn new(token: &'a Token, viewer: Viewer) -> Self {
        let merchant = viewer == Viewer::Merchant;
        Self {
            stored_payment_method_id: &token.key.stored_payment_method_id,
            status: token.status(),
            kind: token.payment_method(),
            created_at: token.created_at(),
            disabled_at: token.disabled_at(),
            unlisted_since: token.unlisted_since().filter(|_| merchant),
            psp_reference: token.psp_reference().filter(|_| merchant),
            reference: token.reference().filter(|_| merchant),
        }
    }
}
