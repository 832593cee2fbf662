//! Which agents share a thread, on which core, idling how.
//!
//! Runs on: start-up.
//! Owns: the layouts, the choice that `auto` makes, and the refusal of a plan that the machine cannot carry.
//! Never: starts a thread: a [`Plan`] is data, which the engine turns into runners.

use std::fmt;

use super::affinity::{CoreList, Cores, Placement};
use super::idle::{Backoff, IdleStrategy};
use super::preflight::PreflightError;

/// An agent by what it does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Limits and exposure.
    Risk,
    /// The order table and the journal's pen.
    Order,
    /// The link to one broker, by its number.
    Gateway(usize),
    /// The market data source.
    Market,
    /// Portfolio, metrics, reports.
    Cold,
    /// Copying and syncing the journal.
    Journal,
    /// User code: handlers and subscribers.
    Delivery,
    /// One trading algorithm, by its number.
    Algorithm(usize),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Risk => f.pad("RISK"),
            Self::Order => f.pad("ORDER"),
            Self::Gateway(number) => f.pad(&format!("GATEWAY[{number}]")),
            Self::Market => f.pad("MARKET"),
            Self::Cold => f.pad("COLD"),
            Self::Journal => f.pad("JOURNAL"),
            Self::Delivery => f.pad("DELIVERY"),
            Self::Algorithm(number) => f.pad(&format!("ALGORITHM[{number}]")),
        }
    }
}

/// How the hot agents are spread over threads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Layout {
    /// RISK, ORDER and each GATEWAY on a core of its own.
    Dedicated,
    /// RISK + ORDER as one composite, the gateways as another.
    Paired,
    /// RISK + ORDER + gateways as one composite on one core; everything else on the others.
    SharedHot,
    /// As `SharedHot`, unpinned and backing off.
    Shared,
    /// No thread: the caller polls, with a virtual clock.
    Invoker,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Dedicated,
        Self::Paired,
        Self::SharedHot,
        Self::Shared,
        Self::Invoker,
    ];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dedicated => "dedicated",
            Self::Paired => "paired",
            Self::SharedHot => "shared_hot",
            Self::Shared => "shared",
            Self::Invoker => "invoker",
        }
    }

    /// How many hot threads it takes for `brokers` gateways.
    #[must_use]
    pub const fn hot_threads(self, brokers: usize) -> usize {
        match self {
            Self::Dedicated => 2 + brokers,
            Self::Paired => 2,
            Self::SharedHot | Self::Shared => 1,
            Self::Invoker => 0,
        }
    }

    /// The hot agents by thread, in flow order.
    fn hot_groups(self, brokers: usize) -> Vec<Vec<Role>> {
        let gateways = (0..brokers).map(Role::Gateway);
        match self {
            Self::Dedicated => [Role::Risk, Role::Order]
                .into_iter()
                .chain(gateways)
                .map(|role| vec![role])
                .collect(),
            Self::Paired => vec![vec![Role::Risk, Role::Order], gateways.collect()],
            Self::SharedHot | Self::Shared | Self::Invoker => {
                vec![
                    [Role::Risk, Role::Order]
                        .into_iter()
                        .chain(gateways)
                        .collect(),
                ]
            }
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A layout, or the machine's best.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LayoutChoice {
    /// The widest that leaves a core to the cold threads.
    #[default]
    Auto,
    /// This one.
    Fixed(Layout),
}

impl std::str::FromStr for LayoutChoice {
    type Err = PreflightError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        Layout::ALL
            .into_iter()
            .find(|layout| layout.name() == text)
            .map(Self::Fixed)
            .ok_or_else(|| PreflightError::UnknownLayout(text.to_owned()))
    }
}

/// How hot agents idle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Profile {
    /// They spin.
    Latency,
    /// They yield, then park.
    #[default]
    Balanced,
}

impl Profile {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Balanced => "balanced",
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = PreflightError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Latency, Self::Balanced]
            .into_iter()
            .find(|profile| profile.name() == text)
            .ok_or_else(|| PreflightError::UnknownProfile(text.to_owned()))
    }
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest<'a> {
    /// Which layout.
    pub choice: LayoutChoice,
    /// How hot agents idle.
    pub profile: Profile,
    /// What the process may use.
    pub cores: &'a Cores,
    /// Enabled brokers, at least 1: a gateway each.
    pub brokers: usize,
    /// Algorithms on threads of the engine.
    pub algorithms: usize,
    /// The hot threads' cores by configuration, in flow order; empty: the engine chooses.
    pub explicit_cores: &'a [usize],
}

/// One thread of a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadPlan {
    /// Its name: at most 15 bytes.
    pub name: String,
    /// Its agents in flow order.
    pub roles: Vec<Role>,
    /// Where it may run.
    pub placement: Placement,
    /// How it waits.
    pub idle: IdleStrategy,
    /// Whether its agents are hot.
    pub hot: bool,
}

/// Which agents run where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The layout that was chosen or asked for.
    pub layout: Layout,
    /// How hot agents idle.
    pub profile: Profile,
    /// The threads, hot ones first. In the invoker layout there is one, the caller's, with every agent.
    pub threads: Vec<ThreadPlan>,
    /// What a user should know of this plan on this machine.
    pub notes: Vec<String>,
}

/// Makes the plan.
///
/// # Errors
/// [`PreflightError`] with the numbers compared.
pub fn plan(request: &PlanRequest<'_>) -> Result<Plan, PreflightError> {
    if request.brokers == 0 {
        return Err(PreflightError::NoBroker);
    }
    check_explicit_cores(request)?;
    let layout = match request.choice {
        LayoutChoice::Fixed(layout) => layout,
        LayoutChoice::Auto => choose(request),
    };
    if layout == Layout::Invoker {
        return Ok(invoker_plan(request));
    }
    let hot_count = layout.hot_threads(request.brokers);
    check_fit(request, layout, hot_count)?;
    let hot_cores = hot_cores(request, layout, hot_count);
    let cold_cores = cold_cores(request.cores, &hot_cores);
    let mut threads = hot_threads(request, layout, &hot_cores);
    threads.extend(cold_threads(request.algorithms, &cold_cores));
    let notes = notes(request, layout, hot_count, &hot_cores);
    Ok(Plan {
        layout,
        profile: request.profile,
        threads,
        notes,
    })
}

/// The widest layout that fits the configured cores, or that leaves one core to the cold threads.
fn choose(request: &PlanRequest<'_>) -> Layout {
    let room = if request.explicit_cores.is_empty() {
        request.cores.count().saturating_sub(1)
    } else {
        request.explicit_cores.len()
    };
    [Layout::Dedicated, Layout::Paired, Layout::SharedHot]
        .into_iter()
        .find(|layout| layout.hot_threads(request.brokers) <= room)
        .unwrap_or(Layout::Shared)
}

fn check_explicit_cores(request: &PlanRequest<'_>) -> Result<(), PreflightError> {
    for (index, &core) in request.explicit_cores.iter().enumerate() {
        if !request.cores.usable.contains(core) {
            return Err(PreflightError::NoSuchCore {
                core,
                usable: request.cores.usable.clone(),
            });
        }
        if request.explicit_cores[..index].contains(&core) {
            return Err(PreflightError::CoreTwice { core });
        }
    }
    Ok(())
}

fn check_fit(
    request: &PlanRequest<'_>,
    layout: Layout,
    hot_count: usize,
) -> Result<(), PreflightError> {
    let given = request.explicit_cores.len();
    if given > 0 && layout == Layout::Shared {
        return Err(PreflightError::CoresOfUnpinned { given });
    }
    if given > 0 && given != hot_count {
        return Err(PreflightError::WrongCoreCount {
            layout,
            given,
            needed: hot_count,
        });
    }
    let spins = request.profile == Profile::Latency && layout != Layout::Shared;
    if spins && hot_count > request.cores.count() {
        return Err(PreflightError::TooManySpinners {
            layout,
            spinning: hot_count,
            usable: request.cores.clone(),
        });
    }
    Ok(())
}

/// A core for each hot thread, in flow order; none when the layout is unpinned or there are too few. The highest
/// cores come first: the kernel's own work gathers on the lowest.
fn hot_cores(request: &PlanRequest<'_>, layout: Layout, hot_count: usize) -> Vec<usize> {
    if !request.explicit_cores.is_empty() {
        return request.explicit_cores.to_vec();
    }
    // Pinned and without a core left over, a hot thread that yields would share its core with the cold threads by
    // force instead of by the kernel's choice; one that spins still wants its own.
    let needed = match request.profile {
        Profile::Latency => hot_count,
        Profile::Balanced => hot_count + 1,
    };
    if layout == Layout::Shared || request.cores.count() < needed {
        return Vec::new();
    }
    let usable = request.cores.usable.as_slice();
    let mut cores = usable[usable.len() - hot_count..].to_vec();
    cores.reverse();
    cores
}

/// Where cold threads may run: off the hot cores, or anywhere when nothing would be left.
fn cold_cores(cores: &Cores, hot: &[usize]) -> Placement {
    let usable = cores.usable.as_slice().iter().copied();
    let free: Vec<usize> = usable.filter(|core| !hot.contains(core)).collect();
    if hot.is_empty() || free.is_empty() {
        Placement::Anywhere
    } else {
        Placement::Confined(CoreList::new(free))
    }
}

fn hot_threads(request: &PlanRequest<'_>, layout: Layout, hot_cores: &[usize]) -> Vec<ThreadPlan> {
    let idle = match (request.profile, layout) {
        (Profile::Latency, Layout::Dedicated | Layout::Paired | Layout::SharedHot) => {
            IdleStrategy::Spin
        }
        _ => IdleStrategy::BALANCED,
    };
    layout
        .hot_groups(request.brokers)
        .into_iter()
        .enumerate()
        .map(|(index, roles)| ThreadPlan {
            name: hot_name(&roles),
            roles,
            placement: hot_cores
                .get(index)
                .map_or(Placement::Anywhere, |&core| Placement::Pinned(core)),
            idle,
            hot: true,
        })
        .collect()
}

fn hot_name(roles: &[Role]) -> String {
    match roles {
        [Role::Risk] => "shrike-risk".to_owned(),
        [Role::Order] => "shrike-order".to_owned(),
        [Role::Gateway(number)] => format!("shrike-gw-{number}"),
        [Role::Gateway(_), ..] => "shrike-gws".to_owned(),
        _ => "shrike-hot".to_owned(),
    }
}

/// How often COLD and DELIVERY look, in nanoseconds.
const COLD_PERIOD_NS: u64 = 1_000_000;
/// How often JOURNAL looks: a group sync takes milliseconds, the wait for one to begin must not.
const JOURNAL_PERIOD_NS: u64 = 100_000;
/// MARKET and algorithms: rows come in bursts, so they stay awake for a while before they park.
const FEED: IdleStrategy = IdleStrategy::Backoff(Backoff {
    spins: 0,
    yields: 100,
    park_min_ns: 20_000,
    park_max_ns: 500_000,
});

fn cold_threads(algorithms: usize, placement: &Placement) -> Vec<ThreadPlan> {
    let cold = IdleStrategy::Sleep {
        period_ns: COLD_PERIOD_NS,
    };
    let journal = IdleStrategy::Sleep {
        period_ns: JOURNAL_PERIOD_NS,
    };
    let mut list = vec![
        ("shrike-market".to_owned(), Role::Market, FEED),
        ("shrike-journal".to_owned(), Role::Journal, journal),
        ("shrike-cold".to_owned(), Role::Cold, cold),
        ("shrike-deliver".to_owned(), Role::Delivery, cold),
    ];
    for number in 0..algorithms {
        let name = format!("shrike-algo-{number}");
        list.push((name, Role::Algorithm(number), FEED));
    }
    list.into_iter()
        .map(|(name, role, idle)| ThreadPlan {
            name,
            roles: vec![role],
            placement: placement.clone(),
            idle,
            hot: false,
        })
        .collect()
}

/// Every agent on the caller's thread: the source first, then in flow order.
fn invoker_plan(request: &PlanRequest<'_>) -> Plan {
    let mut roles = vec![Role::Market];
    roles.extend(Layout::Invoker.hot_groups(request.brokers).concat());
    roles.extend((0..request.algorithms).map(Role::Algorithm));
    roles.extend([Role::Journal, Role::Cold, Role::Delivery]);
    Plan {
        layout: Layout::Invoker,
        profile: request.profile,
        threads: vec![ThreadPlan {
            name: "caller".to_owned(),
            roles,
            placement: Placement::Anywhere,
            idle: IdleStrategy::Spin,
            hot: true,
        }],
        notes: Vec::new(),
    }
}

fn notes(
    request: &PlanRequest<'_>,
    layout: Layout,
    hot_count: usize,
    hot_cores: &[usize],
) -> Vec<String> {
    let mut notes = Vec::new();
    let count = request.cores.count();
    if layout != Layout::Shared && hot_cores.is_empty() {
        notes.push(format!(
            "hot threads are not pinned: {hot_count} of them and the cold threads, {count} usable core(s)"
        ));
    }
    if !hot_cores.is_empty() && hot_cores.len() >= request.cores.usable.len() {
        notes.push(format!(
            "cold threads share the hot threads' cores: {hot_count} pinned, {count} usable"
        ));
    }
    if let Some(quota) = request.cores.quota {
        notes.push(format!(
            "a container quota allows {quota} of the {} cores in the mask",
            request.cores.usable.len()
        ));
    }
    notes
}

impl Plan {
    /// The thread on which `role` runs.
    #[must_use]
    pub fn thread_of(&self, role: Role) -> Option<&ThreadPlan> {
        self.threads
            .iter()
            .find(|thread| thread.roles.contains(&role))
    }

    /// Threads that never give their core away.
    #[must_use]
    pub fn spinning(&self) -> usize {
        let own = |thread: &&ThreadPlan| thread.idle.spins_forever();
        match self.layout {
            Layout::Invoker => 0,
            _ => self.threads.iter().filter(own).count(),
        }
    }

    /// A table of the threads, for the start banner.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut rows = vec![["thread", "core", "idle", "agents"].map(str::to_owned)];
        for thread in &self.threads {
            let roles: Vec<String> = thread.roles.iter().map(Role::to_string).collect();
            let idle = match self.layout {
                Layout::Invoker => "polled",
                _ => thread.idle.name(),
            };
            rows.push([
                thread.name.clone(),
                thread.placement.to_string(),
                idle.to_owned(),
                roles.join(" + "),
            ]);
        }
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max();
        let widths = [0, 1, 2].map(|column| width(column).unwrap_or(0));
        let mut text = format!("layout {}, profile {}\n", self.layout, self.profile.name());
        for [thread, core, idle, agents] in &rows {
            let [a, b, c] = widths;
            text.push_str(&format!("  {thread:a$}  {core:>b$}  {idle:c$}  {agents}\n"));
        }
        for note in &self.notes {
            text.push_str(&format!("  note: {note}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(choice: LayoutChoice, profile: Profile, cores: &'a Cores) -> PlanRequest<'a> {
        PlanRequest {
            choice,
            profile,
            cores,
            brokers: 1,
            algorithms: 1,
            explicit_cores: &[],
        }
    }

    fn cores(count: usize) -> Cores {
        Cores::of((0..count).collect())
    }

    fn auto(count: usize, brokers: usize) -> Layout {
        let cores = cores(count);
        let request = PlanRequest {
            brokers,
            ..request(LayoutChoice::Auto, Profile::Latency, &cores)
        };
        plan(&request).expect("auto always fits").layout
    }

    #[test]
    fn auto_takes_the_widest_layout_that_leaves_a_core_to_the_cold_threads() {
        let by_cores = [1, 2, 3, 4, 64].map(|count| auto(count, 1));
        assert_eq!(
            by_cores,
            [
                Layout::Shared,
                Layout::SharedHot,
                Layout::Paired,
                Layout::Dedicated,
                Layout::Dedicated
            ]
        );
        assert_eq!(auto(4, 2), Layout::Paired, "two gateways need a fifth core");
        assert_eq!(auto(5, 2), Layout::Dedicated);
    }

    #[test]
    fn a_container_quota_counts_like_missing_cores() {
        let cores = Cores {
            quota: Some(2),
            ..cores(64)
        };
        let made = plan(&request(LayoutChoice::Auto, Profile::Latency, &cores)).expect("fits");
        assert_eq!(made.layout, Layout::SharedHot);
        assert!(made.notes[0].contains("quota allows 2 of the 64"));
    }

    #[test]
    fn every_layout_runs_every_agent_once_on_any_number_of_cores_when_balanced() {
        for layout in Layout::ALL {
            for count in 1..=9 {
                for brokers in [1, 3] {
                    let cores = cores(count);
                    let request = PlanRequest {
                        brokers,
                        algorithms: 2,
                        ..request(LayoutChoice::Fixed(layout), Profile::Balanced, &cores)
                    };
                    let made = plan(&request).expect("balanced always fits");
                    assert_eq!(made.spinning(), 0);
                    let mut roles: Vec<_> =
                        made.threads.iter().flat_map(|t| t.roles.clone()).collect();
                    assert_eq!(roles.len(), 2 + brokers + 4 + 2, "{layout} on {count}");
                    roles.sort_by_key(Role::to_string);
                    roles.dedup();
                    assert_eq!(roles.len(), 2 + brokers + 4 + 2, "each once");
                    assert!(made.threads.iter().all(|thread| thread.name.len() <= 15));
                    let own = made.threads.iter().filter(|thread| thread.hot).count();
                    assert_eq!(own, layout.hot_threads(brokers).max(1));
                }
            }
        }
    }

    #[test]
    fn hot_threads_get_the_highest_cores_and_cold_ones_the_rest() {
        let cores = Cores::of(vec![0, 2, 4, 5, 7]);
        let made = plan(&request(LayoutChoice::Auto, Profile::Latency, &cores)).expect("fits");
        let place = |role| made.thread_of(role).expect("planned").placement.to_string();
        assert_eq!(place(Role::Risk), "7");
        assert_eq!(place(Role::Order), "5");
        assert_eq!(place(Role::Gateway(0)), "4");
        assert_eq!(place(Role::Journal), "0,2");
        assert_eq!(place(Role::Algorithm(0)), "0,2");
        assert_eq!(made.spinning(), 3);
    }

    #[test]
    fn more_spinning_threads_than_cores_are_refused_with_the_numbers() {
        let cores = cores(2);
        let fixed = LayoutChoice::Fixed(Layout::Dedicated);
        let error = plan(&request(fixed, Profile::Latency, &cores)).expect_err("three on two");
        assert_eq!(
            error.to_string(),
            "layout dedicated with profile latency has 3 spinning threads, but only 2 core(s) are \
             usable (0-1); use profile balanced, layout shared_hot or auto"
        );
        let balanced = plan(&request(fixed, Profile::Balanced, &cores)).expect("they give way");
        assert_eq!(
            balanced.thread_of(Role::Risk).map(|t| t.placement.clone()),
            Some(Placement::Anywhere)
        );
        assert!(balanced.notes[0].contains("not pinned"));
        let exactly = LayoutChoice::Fixed(Layout::Paired);
        let tight = plan(&request(exactly, Profile::Latency, &cores)).expect("two on two");
        assert!(tight.notes[0].contains("share the hot threads' cores"));
    }

    #[test]
    fn configured_cores_are_taken_in_flow_order_or_refused_by_name() {
        let cores = Cores::of(vec![0, 1, 2, 3, 8]);
        let with = |explicit_cores: &[usize], choice| {
            plan(&PlanRequest {
                explicit_cores,
                ..request(choice, Profile::Latency, &cores)
            })
        };
        let made = with(&[2, 8], LayoutChoice::Auto).expect("two cores");
        assert_eq!(made.layout, Layout::Paired);
        let place = |role| made.thread_of(role).map(|thread| thread.placement.clone());
        assert_eq!(place(Role::Order), Some(Placement::Pinned(2)));
        assert_eq!(place(Role::Gateway(0)), Some(Placement::Pinned(8)));
        let error = with(&[2, 9], LayoutChoice::Auto).expect_err("no core 9");
        assert_eq!(
            error.to_string(),
            "core 9 does not exist or is not allowed here; usable: 0-3,8"
        );
        let twice = with(&[2, 2], LayoutChoice::Auto);
        assert_eq!(twice, Err(PreflightError::CoreTwice { core: 2 }));
        let (layout, given) = (Layout::Dedicated, 2);
        let too_few = with(&[1, 2], LayoutChoice::Fixed(layout));
        let needed = 3;
        assert_eq!(
            too_few,
            Err(PreflightError::WrongCoreCount {
                layout,
                given,
                needed
            })
        );
        let unpinned = with(&[1], LayoutChoice::Fixed(Layout::Shared));
        assert_eq!(unpinned, Err(PreflightError::CoresOfUnpinned { given: 1 }));
    }

    #[test]
    fn the_picture_of_the_threads_is_this() {
        let cores = cores(2);
        let made = plan(&request(LayoutChoice::Auto, Profile::Latency, &cores)).expect("fits");
        let expected = "\
layout shared_hot, profile latency
  thread          core  idle     agents
  shrike-hot         1  spin     RISK + ORDER + GATEWAY[0]
  shrike-market      0  backoff  MARKET
  shrike-journal     0  sleep    JOURNAL
  shrike-cold        0  sleep    COLD
  shrike-deliver     0  sleep    DELIVERY
  shrike-algo-0      0  backoff  ALGORITHM[0]
";
        assert_eq!(made.describe(), expected);
    }

    #[test]
    fn words_of_the_configuration_are_read_or_refused_with_those_that_exist() {
        for layout in Layout::ALL {
            assert_eq!(layout.name().parse(), Ok(LayoutChoice::Fixed(layout)));
        }
        assert_eq!("auto".parse(), Ok(LayoutChoice::Auto));
        assert_eq!("latency".parse(), Ok(Profile::Latency));
        let error = "dedicate".parse::<LayoutChoice>().expect_err("no layout");
        assert!(error.to_string().contains("dedicated, paired, shared_hot"));
        assert!("fast".parse::<Profile>().is_err());
        let none = Cores::of(vec![0]);
        let request = PlanRequest {
            brokers: 0,
            ..request(LayoutChoice::Auto, Profile::Balanced, &none)
        };
        assert_eq!(plan(&request), Err(PreflightError::NoBroker));
    }
}
