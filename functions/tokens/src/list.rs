//! `GET /shoppers/{shopperReference}/storedPaymentMethods`.

use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt, Response};
use serde::{Deserialize, Serialize};
use shared::{
    adyen::sync::sync_tokens,
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

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ListQuery {
    /// `true` updates the tokens from Adyen's list first.
    refresh: Refresh,
    /// Only the merchant may list disabled ones.
    status: StatusFilter,
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
enum StatusFilter {
    #[default]
    Active,
    All,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenList<'a> {
    shopper_reference: &'a ShopperReference,
    stored_payment_methods: Vec<StoredPaymentMethod<'a>>,
}

/// A stored payment method. Some fields are for the merchant only.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredPaymentMethod<'a> {
    stored_payment_method_id: &'a str,
    status: TokenStatus,
    /// Adyen's name of the payment method.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Timestamp>,
    /// The time since which Adyen's list lacks it. It may still be chargeable.
    #[serde(skip_serializing_if = "Option::is_none")]
    unlisted_since: Option<Timestamp>,
    /// The pspReference of the payment that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<&'a str>,
    /// The order of that payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a Reference>,
}

/// Lists a shopper's stored payment methods, the oldest first.
pub async fn list(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let until = edge::deadline(request);
    if let Caller::Checkout(token) = caller {
        let parameters = request.path_parameters();
        let own = token.shopper_reference.as_ref();
        if own.is_none_or(|own| parameters.first("shopperReference") != Some(own.as_str())) {
            return Err(edge::token_mismatch(Code::WrongShopper, "shopperReference"));
        }
    }
    let shopper = shopper(request)?;
    let query = edge::query::<ListQuery>(request)?;
    if query.status == StatusFilter::All && !caller.is_merchant() {
        return Err(Problem::new(
            Code::MerchantTokenRequired,
            "Only the merchant's backend may list disabled stored payment methods.",
        )
        .at("status"));
    }
    let mut tokens = match query.refresh {
        Refresh::True => {
            let (adyen, account) = (&state.adyen, &state.merchant_account);
            sync_tokens(adyen, &state.tokens, account, &shopper, until).await?
        }
        Refresh::False => state.tokens.of_shopper(&shopper).await?,
    };
    tokens
        .retain(|token| query.status == StatusFilter::All || token.status() == TokenStatus::Active);
    tokens.sort_by_key(Token::created_at);
    if caller.is_merchant() {
        for token in &mut tokens {
            link(state, token).await?;
        }
    }
    let viewer = caller.into();
    let listed = TokenList {
        shopper_reference: &shopper,
        stored_payment_methods: tokens
            .iter()
            .map(|token| StoredPaymentMethod::new(token, viewer))
            .collect(),
    };
    Ok(edge::json(StatusCode::OK, &listed))
}

/// Links a token to the order of the payment that created it, because the token's webhook may have
/// arrived before the order knew its payment.
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
