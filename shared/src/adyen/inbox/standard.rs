//! Stores standard notifications with their orders.

use jiff::Timestamp;

use super::{Delivery, Inbox, Unapplied, count_unapplied};
use crate::{
    adyen::{
        notification::{Notification, NotificationRequestItem},
        sync,
    },
    domain::{
        event_code::EventCode,
        order::{AdyenEvent, Order, sha256, shortened},
        reference::Reference,
    },
    limits,
    platform::{
        config::Environment,
        observe::{self, Metric},
    },
    store::{Class, Letter, StoreError},
};

impl Inbox {
    /// Stores the item at position `at` of the delivery: applies it, or keeps it.
    pub(super) async fn store_item(
        &self,
        notification: &Notification,
        at: usize,
        delivery: Delivery<'_>,
    ) -> Result<(), StoreError> {
        let applied = self.apply_item(notification, at, delivery.received_at).await?;
        let Some(unapplied) = applied else {
            return Ok(());
        };
        let item = item(notification, at)?;
        let fields = fields(item);
        let class = unapplied.class;
        let letter = self.keep(unapplied, letter(notification.live, item, at, delivery)).await?;
        count_unapplied(class, fields.event_code);
        match class {
            None => fields.ignored(&letter.why),
            Some(Class::Dead) => fields.dead(&letter.why),
            Some(Class::Foreign) => fields.foreign(&letter),
        }
        Ok(())
    }

    /// Applies the item at position `at` of the delivery, or returns it unapplied.
    pub(super) async fn apply_item(
        &self,
        notification: &Notification,
        at: usize,
        received_at: Timestamp,
    ) -> Result<Option<Unapplied>, StoreError> {
        let item = item(notification, at)?;
        let event = match self.classify(notification.live, item, received_at) {
            Ok(event) => event,
            Err(unapplied) => return Ok(Some(unapplied)),
        };
        let named = item.merchant_reference.as_deref().and_then(|named| named.parse().ok());
        let applied = self.record(&event, named.as_ref()).await;
        observe::payment(event.payment());
        let order = match applied {
            Ok(order) => order,
            Err(error) if error.is_permanent() => {
                let event = Some(Box::new(event));
                return Ok(Some(Unapplied { event, ..Unapplied::dead(error.to_string()) }));
            }
            Err(error) => return Err(error),
        };
        observe::count(Metric::WebhookEvent(event.event_code.to_string()));
        fields(item).stored(order.as_ref());
        Ok(None)
    }

    /// Stores an event with its order, and disables the stored payment method that it reports as
    /// revoked.
    async fn record(
        &self,
        event: &AdyenEvent,
        named: Option<&Reference>,
    ) -> Result<Option<Order>, StoreError> {
        let order = self.orders.deliver(event, named).await?;
        if let Some(order) = &order {
            sync::after_event(&self.tokens, order, event).await?;
        }
        Ok(order)
    }

    /// The event to apply, or the reason not to.
    fn classify(
        &self,
        live: Option<bool>,
        item: &NotificationRequestItem,
        received_at: Timestamp,
    ) -> Result<AdyenEvent, Unapplied> {
        if item.is_garbled() {
            return Err(Unapplied::dead("a signed field is unreadable"));
        }
        if is_about_no_payment(item) {
            return Err(Unapplied::ignored("it concerns no payment"));
        }
        let Some(live) = live else {
            return Err(Unapplied::dead("its environment is unreadable"));
        };
        let account = item.merchant_account_code.as_deref().unwrap_or_default();
        if !self.is_ours(Environment::of(live).as_str(), account) {
            return Err(Unapplied::foreign());
        }
        if item.is_ambiguous() {
            return Err(Unapplied::dead("its signature also fits other events"));
        }
        let mut event =
            item.event(received_at).ok_or(Unapplied::dead("an identifying field is missing"))?;
        if !is_short(&event) {
            return Err(Unapplied::dead("an identifying field is too long"));
        }
        if item.amount.is_some() && event.amount.is_none() {
            fields(item).without_amount();
        }
        trim(&mut event);
        Ok(event)
    }
}

fn item(notification: &Notification, at: usize) -> Result<&NotificationRequestItem, StoreError> {
    let item = notification.notification_items.get(at).map(|item| &item.notification_request_item);
    item.ok_or(StoreError::Unreadable("an event of a delivery"))
}

/// The letter in which an event that cannot be applied is kept.
fn letter(
    live: Option<bool>,
    item: &NotificationRequestItem,
    at: usize,
    delivery: Delivery<'_>,
) -> Letter {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let environment = live.map_or("", |live| Environment::of(live).as_str());
    Letter {
        name: vec![
            text(&item.psp_reference),
            item.event_code.as_ref().map_or("", EventCode::as_str).to_owned(),
            item.success.as_ref().is_some_and(|success| success.is_true()).to_string(),
        ],
        environment: environment.to_owned(),
        merchant_account: text(&item.merchant_account_code),
        named: text(&item.merchant_reference),
        body: delivery.body.to_vec(),
        item: at,
        signature: None,
        signed: sha256(&[item.signed_content().as_bytes()]),
        received_at: delivery.received_at,
        why: String::new(),
        shopper_reference: item.shopper_reference().and_then(|it| it.to_owned().try_into().ok()),
        event: None,
        handled: None,
    }
}

/// True for a report, and for an unknown event code that names neither an order nor a payment.
fn is_about_no_payment(item: &NotificationRequestItem) -> bool {
    let names = |field: &Option<String>| field.as_deref().is_some_and(|text| !text.is_empty());
    match &item.event_code {
        Some(EventCode::Unknown(code)) if code == "REPORT_AVAILABLE" => true,
        Some(EventCode::Unknown(_)) => {
            !names(&item.merchant_reference) && !names(&item.original_reference)
        }
        _ => false,
    }
}

/// True if the identifying texts are short enough for the order's item.
fn is_short(event: &AdyenEvent) -> bool {
    let currency = event.amount.as_ref().map(|amount| amount.currency.as_str());
    let texts = [
        Some(event.event_code.as_str()),
        Some(&event.psp_reference),
        event.original_reference.as_deref(),
        currency,
    ];
    texts.iter().flatten().all(|text| text.len() <= limits::EVENT_TEXT)
}

/// Shortens or drops the unsigned texts, because they may have any size.
fn trim(event: &mut AdyenEvent) {
    event.reason = event.reason.take().map(shortened);
    let action = event.modification_action.take();
    event.modification_action = action.filter(|action| action.len() <= limits::EVENT_TEXT);
}

/// The logged fields of an event. All of them are signed.
struct EventFields<'a> {
    event_code: &'a str,
    psp_reference: &'a str,
    merchant_reference: &'a str,
    success: bool,
}

fn fields(item: &NotificationRequestItem) -> EventFields<'_> {
    EventFields {
        event_code: item.event_code.as_ref().map_or("", EventCode::as_str),
        psp_reference: item.psp_reference.as_deref().unwrap_or_default(),
        merchant_reference: item.merchant_reference.as_deref().unwrap_or_default(),
        success: item.success.as_ref().is_some_and(|success| success.is_true()),
    }
}

/// Logs one line with the fields of [`EventFields`].
macro_rules! line {
    ($level:ident, $fields:expr, $($rest:tt)+) => {
        tracing::$level!(
            eventCode = $fields.event_code,
            pspReference = $fields.psp_reference,
            merchantReference = $fields.merchant_reference,
            success = $fields.success,
            $($rest)+
        )
    };
}

impl EventFields<'_> {
    fn stored(&self, order: Option<&Order>) {
        match order.map(|order| order.reference.as_str()) {
            Some(reference) => line!(info, self, reference, "event stored"),
            None => line!(info, self, "event parked until an order claims its payment"),
        }
    }

    fn without_amount(&self) {
        line!(warn, self, "amount unreadable");
    }

    fn ignored(&self, why: &str) {
        line!(warn, self, "event ignored: {why}");
    }

    fn dead(&self, why: &str) {
        line!(error, self, why, "event kept as a dead letter");
    }

    fn foreign(&self, letter: &Letter) {
        line!(
            error,
            self,
            environment = letter.environment,
            merchantAccount = letter.merchant_account,
            "event of another environment or merchant account kept for 90 days"
        );
    }
}
