//! The gate: one order in, an approval with its reservation or a typed refusal out.
//!
//! Runs on: the RISK agent; tests and benches call it directly.
//! Owns: the order of evaluation and everything that it compares.
//! Never: reserves before every control has passed, or grows with instruments or open orders.

use std::sync::Arc;

use crate::ring::{BoardReader, MarketSnapshot};
use crate::types::{
    ApprovedOrder, BrokerId, Exposure, InstrumentId, KillScope, KillWord, Money, Nanos, Order,
    OrderFlags, OrderId, OrderRequest, OrderShapeError, Price, Quantity, RecoveredState, Refusal,
    RefusalCode, RouteError, RoutingTable, SessionSchedule, StrategyId,
};

use super::breakers::Breakers;
use super::collar::{Collar, Reference, is_collared};
use super::duplicates::{Bucket, DuplicateKey, DuplicateTable};
use super::exposure::{Cell, ExposureBook};
use super::limits::{Access, InstrumentRule, RiskSettings};
use super::orders::{Claim, RiskOrder};
use super::session::{Session, SessionView};
use super::state::TradingStates;
use super::throttle::Throttle;

/// The limits that one comparison needs, resolved at start.
pub(super) struct Limits {
    pub(super) max_order_notional: Option<Money>,
    pub(super) max_open_orders: usize,
    pub(super) max_open_per_symbol: u32,
    pub(super) max_open_per_strategy: u32,
    pub(super) max_quote_age_ns: u64,
    pub(super) max_feed_silence_ns: u64,
    pub(super) allow_short: bool,
    /// Largest order and worst-case position of each strategy, the account's own included.
    pub(super) by_strategy: Box<[(Quantity, Quantity)]>,
}

/// See the module.
pub struct RiskGate {
    epoch: u32,
    strategies: u8,
    last_sequence: Box<[u64]>,
    pub(super) board: BoardReader,
    kill: Arc<KillWord>,
    pub(super) session: SessionView,
    pub(super) routing: RoutingTable,
    pub(super) states: TradingStates,
    pub(super) breakers: Breakers,
    pub(super) book: ExposureBook,
    pub(super) collar: Collar,
    pub(super) limits: Limits,
    strategy_rates: Box<[Throttle]>,
    account_rate: Option<Throttle>,
    duplicates: Option<DuplicateTable>,
    pub(super) newest_data: Nanos,
    pub(super) approvals: u64,
    pub(super) refusals: u64,
    pub(super) is_latch_unrecorded: bool,
}

/// What the controls compare an order with: the market and the books as they are now.
pub(super) struct Case<'a> {
    pub(super) now: Nanos,
    pub(super) order: &'a Order,
    pub(super) strategy: StrategyId,
    pub(super) broker: BrokerId,
    pub(super) cell: &'a Cell,
    pub(super) look: Look,
}

/// What [`RiskGate::look`] saw.
pub(super) struct Look {
    pub(super) market: MarketSnapshot,
    pub(super) reference: Option<Reference>,
    /// Whether the quote is recent enough, and if not, why.
    pub(super) freshness: Result<(), Refusal>,
}

/// An order that passed everything, before it is reserved.
struct Plan {
    broker: BrokerId,
    risk_price: Price,
    collar: Option<Price>,
    is_reducing: bool,
    /// Where the duplicate check will find it, if it is one that may be looked for.
    bucket: Option<Bucket>,
}

pub(super) const ARITHMETIC: Refusal = Refusal::plain(RefusalCode::Arithmetic);

/// The refusal of a shape.
pub(super) const fn invalid(error: OrderShapeError) -> Refusal {
    Refusal::counts(RefusalCode::InvalidOrder, error as u64, 0)
}

impl RiskGate {
    /// A gate with these settings over what was recovered; links are down until
    /// [`apply`](Self::apply) says otherwise.
    ///
    /// # Panics
    /// When a setting is out of its range, or the recovered orders do not fit.
    #[must_use]
    pub fn new(
        settings: &RiskSettings,
        board: BoardReader,
        kill: Arc<KillWord>,
        schedule: SessionSchedule,
        routing: RoutingTable,
        recovered: &RecoveredState,
    ) -> Self {
        settings.assert_sound();
        let rates = |_| settings.strategy_order_rate.map(Throttle::new);
        let has_check = settings.duplicate_window_ns > 0;
        let mut gate = Self {
            epoch: settings.epoch.get(),
            strategies: settings.strategies,
            last_sequence: vec![0; settings.ports].into_boxed_slice(),
            board,
            kill,
            session: SessionView::new(schedule),
            routing,
            states: TradingStates::new(&recovered.trading_states),
            breakers: Breakers::new(settings, recovered.start_of_day, recovered.high_water_mark),
            book: ExposureBook::new(settings, recovered),
            collar: Collar {
                bps: settings.collar_bps,
                outer_bps: settings.outer_collar_bps,
            },
            limits: Limits::of(settings),
            strategy_rates: (0..settings.strategies).filter_map(rates).collect(),
            account_rate: settings.account_order_rate.map(Throttle::new),
            duplicates: has_check.then(|| {
                DuplicateTable::new(settings.duplicate_window_ns, settings.orders_to_compare())
            }),
            newest_data: Nanos::ZERO,
            approvals: 0,
            refusals: 0,
            is_latch_unrecorded: false,
        };
        gate.recover_sequences(recovered);
        for id in 0..gate.book.instruments() as u32 {
            gate.on_quote(InstrumentId(id));
        }
        gate
    }

    fn recover_sequences(&mut self, recovered: &RecoveredState) {
        let epoch = self.epoch;
        let ids = recovered.orders.iter().map(|order| order.order_id());
        let own = ids.filter(|id| id.epoch() == epoch);
        let used = recovered.used_sequences.iter().copied();
        for (port, sequence) in used.chain(own.map(|id| (id.port(), id.sequence()))) {
            if let Some(last) = self.last_sequence.get_mut(port.index()) {
                *last = sequence.max(*last);
            }
        }
    }

    /// Checks a new order and, if it passes every control, reserves its exposure. `risk_offset` of
    /// the approval is left at 0: the gate reads no clock.
    ///
    /// # Errors
    /// The first control that does not pass, with the two numbers compared. Nothing is reserved
    /// then; the id is spent.
    #[inline(never)]
    pub fn check(&mut self, now: Nanos, request: &OrderRequest) -> Result<ApprovedOrder, Refusal> {
        let plan = match self.evaluate(now, request) {
            Ok(plan) => plan,
            Err(refusal) => {
                self.refusals += 1;
                return Err(refusal);
            }
        };
        if !self.commit(now, request, &plan) {
            self.refusals += 1;
            return Err(Refusal::plain(RefusalCode::OrderTableFull));
        }
        self.approvals += 1;
        Ok(ApprovedOrder {
            request: *request,
            collar: plan.collar,
            risk_price: plan.risk_price,
            risk_offset: 0,
            broker: plan.broker,
        })
    }

    /// Has fetched what the check of an order will look at first: the order is next.
    #[inline]
    pub(super) fn prefetch(&self, request: &OrderRequest) {
        let order = &request.order;
        let _ = self.bucket(order, request.strategy);
        self.book.touch(order.instrument);
        self.board.prefetch(order.instrument);
    }

    /// Takes what ORDER says of fills, closes, replaces, links and accounts.
    pub fn apply(&mut self, exposure: &Exposure) {
        match *exposure {
            Exposure::Link { broker, up } => self.routing.set_link(broker, up),
            _ => self.book.apply(exposure),
        }
    }

    /// Reads the board: the instrument's quote changed.
    pub fn on_quote(&mut self, instrument: InstrumentId) {
        if instrument.index() < self.book.instruments() {
            let market = self.board.read(instrument);
            let newest = market.quote.time.max(market.last_time);
            self.newest_data = self.newest_data.max(newest);
            self.book.mark(instrument, &market.quote);
        }
    }

    /// Counts a cancel among the messages; cancels are never refused.
    pub(super) fn count_cancel(&mut self, now: Nanos, id: OrderId) {
        if let Some(throttle) = &mut self.account_rate {
            throttle.count_exempt(now);
        }
        if !self.strategy_rates.is_empty()
            && let Some(order) = self.book.orders.get(id)
            && let Some(throttle) = self.strategy_rates.get_mut(order.strategy.index())
        {
            throttle.count_exempt(now);
        }
    }

    /// Every id passes once: of this boot, and above all that its port used before.
    #[inline(always)]
    fn spend(&mut self, id: OrderId) -> Result<(), Refusal> {
        let Some(last) = self.last_sequence.get_mut(id.port().index()) else {
            return Err(Refusal::plain(RefusalCode::InvalidOrder));
        };
        if id.epoch() != self.epoch || id.sequence() <= *last {
            return Err(Refusal::plain(RefusalCode::DuplicateOrderId));
        }
        *last = id.sequence();
        Ok(())
    }

    /// Whether an id that the table does not hold belongs to an order of the past.
    pub(super) fn was_seen(&self, id: OrderId) -> bool {
        let last = self.last_sequence.get(id.port().index());
        id.epoch() != 0
            && (id.epoch() < self.epoch
                || id.epoch() == self.epoch && last.is_some_and(|last| id.sequence() <= *last))
    }

    /// Kill word and halts of the firm and a known strategy.
    #[inline(always)]
    pub(super) fn admit_strategy(&self, strategy: StrategyId) -> Result<(), Refusal> {
        if strategy.0 >= self.strategies {
            return Err(Refusal::plain(RefusalCode::NotAllowed));
        }
        if self.kill.is_set(KillScope::Firm) || self.kill.is_set(KillScope::Strategy(strategy)) {
            return Err(Refusal::plain(RefusalCode::Killed));
        }
        self.states.admit_strategy(strategy)?;
        if self.book.equity.is_broken {
            return Err(ARITHMETIC);
        }
        Ok(())
    }

    /// Kill word and halt of a broker.
    #[inline(always)]
    pub(super) fn admit_broker(&self, broker: BrokerId) -> Result<(), Refusal> {
        if self.kill.is_set(KillScope::Broker(broker)) {
            return Err(Refusal::plain(RefusalCode::Killed));
        }
        self.states.admit_broker(broker)
    }

    #[inline(always)]
    fn route(&self, request: &OrderRequest) -> Result<BrokerId, Refusal> {
        let instrument = request.order.instrument;
        self.routing
            .route(request.preferred_broker, instrument)
            .map_err(|error| match error {
                RouteError::UnknownBroker(_) => Refusal::plain(RefusalCode::UnknownBroker),
                RouteError::AllDown => Refusal::plain(RefusalCode::BrokerDown),
            })
    }

    /// The market as the order meets it.
    #[inline(always)]
    pub(super) fn look(&self, now: Nanos, session: Session, market: MarketSnapshot) -> Look {
        let freshness = self.freshness(now, session, &market);
        let reference = Reference::of(&market, freshness.is_ok());
        Look {
            market,
            freshness,
            reference,
        }
    }

    /// Every control, in order; changes nothing but the port's last id and what only follows the
    /// time.
    #[inline(always)]
    fn evaluate(&mut self, now: Nanos, request: &OrderRequest) -> Result<Plan, Refusal> {
        self.spend(request.order_id)?;
        if let Some(table) = &mut self.duplicates {
            table.expire(now);
        }
        let session = self.session.at(now);
        let this = &*self;
        let order = &request.order;
        // First, so that these cache lines are under way together while the checks that need none of
        // them are made.
        let expected = this.bucket(order, request.strategy);
        this.book.touch(order.instrument);
        let market = this.board.read(order.instrument);
        this.admit_strategy(request.strategy)?;
        order.validate().map_err(invalid)?;
        this.admit_instrument(order.instrument)?;
        let broker = this.route(request)?;
        this.admit_broker(broker)?;
        let cell = this.book.cell(broker, order.instrument);
        let rule = this.book.rule(cell);
        let is_reducing = cell.toward(order.side) + i128::from(order.quantity.units()) <= 0;
        if !is_reducing {
            this.admit_adding(order, request.strategy, broker, cell, rule)?;
        }
        session.admit(order)?;
        rule.admit_steps(order)?;
        let case = Case {
            now,
            order,
            strategy: request.strategy,
            broker,
            cell,
            look: this.look(now, session, market),
        };
        let (risk_price, collar) = if is_reducing {
            this.price_reducing(&case, rule)?
        } else {
            this.price_adding(&case, rule)?
        };
        let mut bucket = None;
        if !is_reducing {
            case.admit_quote()?;
            this.check_duplicate(&case, expected)?;
            bucket = expected;
            this.check_rates(&case)?;
            this.check_open_orders(&case)?;
            let claim = Claim {
                remaining: order.quantity.units(),
                hold: risk_price.notional(order.quantity),
            };
            this.check_exposure(&case, Claim::default(), claim, rule)?;
        }
        if !this.book.orders.has_room() {
            let working = this.book.orders.len() as u64;
            let code = RefusalCode::OrderTableFull;
            return Err(Refusal::counts(code, working, working));
        }
        Ok(Plan {
            broker,
            risk_price,
            collar,
            is_reducing,
            bucket,
        })
    }

    #[inline(always)]
    pub(super) fn admit_instrument(&self, instrument: InstrumentId) -> Result<(), Refusal> {
        if instrument.index() < self.book.instruments() {
            Ok(())
        } else {
            Err(Refusal::plain(RefusalCode::UnknownInstrument))
        }
    }

    /// Reduce-only orders, reduce-only states, and the allowed list, for an order that could add
    /// risk.
    #[inline(always)]
    pub(super) fn admit_adding(
        &self,
        order: &Order,
        strategy: StrategyId,
        broker: BrokerId,
        cell: &Cell,
        rule: &InstrumentRule,
    ) -> Result<(), Refusal> {
        let refuse = |code| {
            let closable = cell.closable(order.side);
            Err(Refusal::quantities(code, order.quantity, closable))
        };
        if order.flags.contains(OrderFlags::REDUCE_ONLY) {
            return refuse(RefusalCode::NotReducing);
        }
        if self.states.is_reducing(broker, strategy) {
            return refuse(RefusalCode::Reducing);
        }
        match rule.access {
            Access::Allowed => Ok(()),
            Access::CloseOnly => Err(Refusal::plain(RefusalCode::Restricted)),
            Access::NotAllowed => Err(Refusal::plain(RefusalCode::NotAllowed)),
        }
    }

    /// A market order that reduces goes at the collar where a fresh quote says where that is, else
    /// as it is: it needs no money, and what closes must stay marketable.
    pub(super) fn price_reducing(
        &self,
        case: &Case<'_>,
        rule: &InstrumentRule,
    ) -> Result<(Price, Option<Price>), Refusal> {
        let order = case.order;
        let own = order
            .order_type
            .limit_price()
            .or(order.order_type.stop_price());
        let Some(reference) = case.look.reference else {
            let marks = self.book.equity.marks(order.instrument.index());
            return Ok((own.unwrap_or(marks.of(case.cell.position)), None));
        };
        let risk_price = self.collar.risk_price(order, reference.price)?;
        let collar = if is_collared(order) && case.has_fresh_touch() {
            Some(
                self.collar
                    .market_limit(order.side, reference, rule, true)?,
            )
        } else {
            None
        };
        Ok((risk_price, collar))
    }

    /// Controls 1 to 3.
    #[inline(always)]
    pub(super) fn price_adding(
        &self,
        case: &Case<'_>,
        rule: &InstrumentRule,
    ) -> Result<(Price, Option<Price>), Refusal> {
        let order = case.order;
        self.check_quantity(case.strategy, order.quantity)?;
        let reference = case
            .look
            .reference
            .ok_or(Refusal::plain(RefusalCode::NoReferencePrice))?;
        let risk_price = self.collar.risk_price(order, reference.price)?;
        self.check_notional(risk_price, order.quantity)?;
        let mut collar = None;
        if let crate::types::OrderType::Limit { limit } = order.order_type {
            self.collar
                .admit_limit(order.side, limit, reference.price)?;
        } else if is_collared(order) {
            let limit = self
                .collar
                .market_limit(order.side, reference, rule, false)?;
            collar = Some(limit);
        }
        Ok((risk_price, collar))
    }

    #[inline(always)]
    fn check_duplicate(&self, case: &Case<'_>, bucket: Option<Bucket>) -> Result<(), Refusal> {
        match (&self.duplicates, bucket) {
            (Some(table), Some(bucket)) => {
                let key = DuplicateKey::of(case.order, case.strategy);
                table.check(&key, bucket, case.now)
            }
            _ => Ok(()),
        }
    }

    /// Where the duplicate check will look for an order, if it has to.
    #[inline(always)]
    fn bucket(&self, order: &Order, strategy: StrategyId) -> Option<Bucket> {
        let table = self.duplicates.as_ref()?;
        let is_checked = !order.flags.contains(OrderFlags::ALLOW_DUPLICATE);
        is_checked.then(|| table.bucket(&DuplicateKey::of(order, strategy)))
    }

    #[inline(always)]
    pub(super) fn check_rates(&self, case: &Case<'_>) -> Result<(), Refusal> {
        if let Some(throttle) = self.strategy_rates.get(case.strategy.index()) {
            throttle.check(case.now)?;
        }
        match &self.account_rate {
            Some(throttle) => throttle.check(case.now),
            None => Ok(()),
        }
    }

    /// Counts a passed order or replace.
    #[inline(always)]
    pub(super) fn count(&mut self, now: Nanos, strategy: StrategyId, is_exempt: bool) {
        let count = |throttle: &mut Throttle| {
            if is_exempt {
                throttle.count_exempt(now);
            } else {
                throttle.count_order(now);
            }
        };
        if let Some(throttle) = self.strategy_rates.get_mut(strategy.index()) {
            count(throttle);
        }
        if let Some(throttle) = &mut self.account_rate {
            count(throttle);
        }
    }

    /// Takes the exposure, the tokens and the memory of an order that passed; `false` and nothing
    /// taken without room.
    #[inline(always)]
    fn commit(&mut self, now: Nanos, request: &OrderRequest, plan: &Plan) -> bool {
        let kept = RiskOrder {
            order: request.order,
            risk_price: plan.risk_price,
            filled: Quantity::ZERO,
            strategy: request.strategy,
            broker: plan.broker,
            needs_power: !plan.is_reducing,
            is_changing: false,
            is_collared: plan.collar.is_some(),
        };
        if !self.book.reserve(request.order_id, &kept) {
            return false;
        }
        self.count(now, request.strategy, plan.is_reducing);
        if let (Some(table), Some(bucket)) = (&mut self.duplicates, plan.bucket) {
            let key = DuplicateKey::of(&request.order, request.strategy);
            table.record(key, bucket, now);
        }
        true
    }
}
