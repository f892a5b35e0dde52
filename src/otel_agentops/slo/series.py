"""Names of the series that the recording rules write and everybody else reads, and of the labels on them.

Every series but those of objectives (`slo_objective`), eval sets, rules and collectors carries SERVICE. SLI stands for
all labels of an indicator: those of SERVICE, name and type, and of a judge its name and revision, which are never
summed together. A value without a unit is a count, a part of a whole, or a Unix time in seconds if it says "time".
"""

from __future__ import annotations

from otel_agentops.semconv import attributes as A


def spell_label(attribute: str) -> str:
    """Return the Prometheus label of an attribute."""
    return attribute.replace(".", "_")


def name_window(series: str, window: str) -> str:
    """Return the name of a series over a window: `…:increase5m`."""
    return f"{series}{window}"


def name_bound(series: str, bound: str) -> str:
    """Return the name of the `low` or `high` end of a series' interval of 95 %."""
    return f"{series}_{bound}"


# -- labels

SERVICE = (spell_label(A.SERVICE_NAME), spell_label(A.DEPLOYMENT_ENVIRONMENT_NAME))
SLI_NAME, SLI_TYPE = spell_label(A.SLI_NAME), spell_label(A.SLI_TYPE)
SLI = (*SERVICE, SLI_NAME, SLI_TYPE, spell_label(A.JUDGE_NAME), spell_label(A.JUDGE_REVISION))
TRUTH_PROXY, TRUTH_VERDICT = spell_label(A.TRUTH_PROXY), spell_label(A.TRUTH_VERDICT)
TRUTH_SAMPLING = spell_label(A.TRUTH_SAMPLING)

# -- what an indicator counted; labels SLI

SLI_EVENTS_INCREASE = "otel_agentops:sli_events:increase"  # since the last evaluation, to the unit; by window the sum
SLI_BAD_INCREASE = "otel_agentops:sli_bad:increase"  # as above, of the bad events
SLI_ERROR_RATIO = "otel_agentops:sli_error:ratio"  # by window: bad / events; absent without events
SLI_ERROR_USUAL = "otel_agentops:sli_error:usual"  # bad / events of the day before, if there was one
SLI_BAD_BURSTS = "otel_agentops:sli_bad:bursts"  # variance / mean of the bad events a minute; 1 if none come together
SLI_ERROR_SCORE = "otel_agentops:sli_error:score"  # asin sqrt of bad / events of the last day, for comparisons
SLI_ERROR_REGRESSION = "otel_agentops:sli_error:regression"  # its standard deviations above the days of a month before

# -- the budget of an objective over its window; labels SLI, slo

SLO_OBJECTIVE_RATIO = "otel_agentops:slo_objective:ratio"  # slo alone: the part of the events that must be good
SLO_OBJECTIVE_UNSEEN = (
    "otel_agentops:slo_objective:unseen"  # the same, and the service if it is named, while no event was counted
)
SLO_EVENTS_INCREASE = "otel_agentops:slo_events:increase"  # events
SLO_BAD_INCREASE = "otel_agentops:slo_bad:increase"  # bad events
SLO_ERROR_RATIO = "otel_agentops:slo_error:ratio"  # bad / events
SLO_BUDGET_REMAINING = "otel_agentops:slo_budget:remaining"  # 1 untouched, 0 spent, below 0 overspent
SLO_EVENTS_SEEN = "otel_agentops:slo_events:seen"  # without the judge's revision: time of the last event
SLO_EVENTS_SILENCE = "otel_agentops:slo_events:silence"  # without the judge's revision: seconds that a silence lasted

# -- a budget that burns; labels SLI, slo, severity

SLO_BURN_RATIO = "otel_agentops:slo_burn:ratio"  # error ratio of now, present while the budget burns
SLO_BURN_SINCE = "otel_agentops:slo_burn:since"  # time at which that began
SLO_BURN_MOVED = "otel_agentops:slo_burn:moved"  # slo, severity, variable …: time of a move before that

# -- labels of ground truth

TRUTH_LABELS_INCREASE = "otel_agentops:truth_labels:increase"  # SLI, truth_*: labels since the last evaluation
TRUTH_DELAY_INCREASE = "otel_agentops:truth_delay:increase"  # le: how late the random ones were
SLO_TRUTH_CELL = "otel_agentops:slo_truth:cell"  # SLI, slo, truth_proxy, truth_verdict: random labels in the window
SLO_TRUTH_LABELS = "otel_agentops:slo_truth:labels"  # SLI, slo: random labels in the objective's window
SLO_TRUTH_COVERAGE = "otel_agentops:slo_truth:coverage"  # SLI, slo: all labels / events
SLO_TRUTH_DELAY = "otel_agentops:slo_truth:delay"  # SLI, slo: median delay in seconds
SLO_TRUTH_PPV = "otel_agentops:slo_truth:ppv"  # SLI, slo; also by bound: truly bad if the proxy says bad
SLO_TRUTH_FOR = "otel_agentops:slo_truth:for"  # SLI, slo; also by bound: truly bad if the proxy says good
SLO_TRUTH_DISAGREES = (
    "otel_agentops:slo_truth:disagrees"  # SLI, slo: error ratio minus the corrected, if they contradict
)
SLO_TRUTH_DUE = "otel_agentops:slo_truth:due"  # SLI, slo: time at which the next random label is overdue
SLO_CORRECTED_ERROR = "otel_agentops:slo_corrected:error"  # SLI, slo; also by bound: ppv * p + for * (1 - p)
SLO_CORRECTED_REMAINING = "otel_agentops:slo_corrected:remaining"  # SLI, slo: the budget by the corrected error

# -- observations of a variable; labels variable, scope, value

VARIABLE_OBSERVED = "otel_agentops:variable:observed"  # and place, stage: observations since the last evaluation
VARIABLE_INCREASE = "otel_agentops:variable:increase"  # the same over all places; by window the sum
VARIABLE_ACTIVE = "otel_agentops:variable:active"  # observations within five minutes
VARIABLE_SHARE = "otel_agentops:variable:share"  # part of its scope over five minutes; also by window
VARIABLE_BEFORE = "otel_agentops:variable:before"  # and against: observations in an earlier window
VARIABLE_SHARE_BEFORE = "otel_agentops:variable:share_before"  # and against: part of its scope at that time

# -- variables that moved; labels variable, scope, value

VARIABLE_KNOWN = "otel_agentops:variable:known"  # time at which a value of the scope was last active
VARIABLE_GONE = "otel_agentops:variable:gone"  # time at which a value that the scope has no more was last active
VARIABLE_BEGAN = "otel_agentops:variable:began"  # time at which a value appeared in its scope
VARIABLE_FRESH = "otel_agentops:variable:fresh"  # time of now, for ten minutes from a value's first observation on
VARIABLE_RENEWED = "otel_agentops:variable:renewed"  # time at which a silent scope began again with a new value
VARIABLE_ROUTINE = "otel_agentops:variable:routine"  # and reason: the same time, if new values are usual: no move
VARIABLE_STEADY = "otel_agentops:variable:steady"  # the higher one of the share of now and of a little earlier
VARIABLE_LATELY = "otel_agentops:variable:lately"  # lowest steady share of six hours
VARIABLE_RISING = "otel_agentops:variable:rising"  # time since which the share is well above it
VARIABLE_GROWN = "otel_agentops:variable:grown"  # time since which a value has a fifth more than before, beyond chance
VARIABLE_RAMP = "otel_agentops:variable:ramp"  # the share of a value that has come to matter
VARIABLE_RAMPED = "otel_agentops:variable:ramped"  # time at which it did
VARIABLE_MOVED = "otel_agentops:variable:moved"  # and previous: time of a move, for two hours
TRAFFIC_DISTANCES = "otel_agentops:traffic:distances"  # scope, against: part of the traffic that another time had not
TRAFFIC_DISTANCE = "otel_agentops:traffic:distance"  # SERVICE alone: the same against the whole day before
TRAFFIC_NOISE = "otel_agentops:traffic:noise"  # scope, against: the distance that may be chance
TRAFFIC_NEAR = "otel_agentops:traffic:near"  # scope: number of earlier times farther away than half of the noise
TRAFFIC_FAR = "otel_agentops:traffic:far"  # scope: number of earlier times farther away than the noise
TRAFFIC_LEFT = "otel_agentops:traffic:left"  # scope: time since which it is `near`
TRAFFIC_SHIFTED = "otel_agentops:traffic:shifted"  # scope: time since which it is `far`
TRAFFIC_SHIFT = "otel_agentops:traffic:shift"  # and previous: time of the shift, on the segment that grew most

# -- values that events used; labels SLI, variable, scope, value

SLI_VALUE_EVENTS_INCREASE = "otel_agentops:sli_value_events:increase"  # since the last evaluation; by window the sum
SLI_VALUE_BAD_INCREASE = "otel_agentops:sli_value_bad:increase"  # as above, of the bad events
SLI_VALUE_EVENTS_SINCE = "otel_agentops:sli_value_events:since"  # since an hour before the burn, else of the last hour
SLI_VALUE_BAD_SINCE = "otel_agentops:sli_value_bad:since"  # as above, of the bad events
SLI_VALUE_SHARE = "otel_agentops:sli_value:share"  # part of its scope now, while the scope has another value as well
SLI_VALUE_STEP = "otel_agentops:sli_value:step"  # and theta: log-likelihood ratio of one evaluation
SLI_VALUE_LOG = "otel_agentops:sli_value:log"  # and theta: the sum of the steps since the start
SLI_VALUE_EVIDENCE = "otel_agentops:sli_value:evidence"  # E : 1 that the events of the value are worse
SLI_VALUE_CONTRAST_INCREASE = "otel_agentops:sli_value_contrast:increase"  # and counted: while `share` exists
SLI_VALUE_CONTRAST_SINCE = "otel_agentops:sli_value_contrast:since"  # and counted: the same since the start
SLI_VALUE_RATIO = "otel_agentops:sli_value:ratio"  # bad / events since the start, while there was a contrast if any
SLI_VALUE_RATIO_OTHERS = "otel_agentops:sli_value:ratio_others"  # the same of the other values in the same minutes
SLI_VALUE_BEFORE = "otel_agentops:sli_value:before"  # its ratio by that of the others, over the day before the burn
SLI_VALUE_EXPLAINED = (
    "otel_agentops:sli_value:explained"  # part of the bad events beyond the usual that it accounts for
)
SLI_VALUE_VERDICT = "otel_agentops:sli_value:verdict"  # and word: E of what moved or is much worse
SLI_VALUE_LEADER = "otel_agentops:sli_value:leader"  # and word, previous: E of the value that explains most
SLI_VALUE_TIED = "otel_agentops:sli_value:tied"  # E of a value that the same events used as the leader

# -- indicators as far as evidence needs them; labels SLI

SLI_EVENTS_SINCE = "otel_agentops:sli_events:since"  # events since an hour before the burn, else of the last hour
SLI_BAD_SINCE = "otel_agentops:sli_bad:since"  # as above, of the bad events
SLI_BAD_SPREAD = "otel_agentops:sli_bad:spread"  # variance / mean of bad events a minute over the day before, 1 or more
SLI_ERROR_BEFORE = "otel_agentops:sli_error:before"  # error ratio of the day before the burn
SLO_BURN_VERDICT = "otel_agentops:slo_burn:verdict"  # and slo, severity, word, and the leader's labels if there is one
VARIABLE_SUSPECT = "otel_agentops:variable:suspect"  # variable, scope, value, previous: time of a move of now or a burn
VARIABLE_RECENT = "otel_agentops:variable:recent"  # as above, of what is new or grew and is not reported as a move yet

# -- surfaces that an operation depends on; labels SERVICE, surface (provider, retrieval, tool), name

SURFACE_INCREASE = "otel_agentops:surface:increase"  # and reason: operations since the last evaluation
SURFACE_NOW = "otel_agentops:surface:now"  # and kind: part of ten minutes, or seconds at p95 if kind is latency
SURFACE_USUAL = "otel_agentops:surface:usual"  # and kind: the same of the day before
SURFACE_SICK = "otel_agentops:surface:sick"  # and kind: `now`, if it is much worse than usual
SURFACE_WELL = "otel_agentops:surface:well"  # 1 if it is observed and not sick

# -- what is wrong with a variable that does not move; labels variable, scope, value

VARIABLE_PLACED = "otel_agentops:variable:placed"  # and place: observations in half an hour
VARIABLE_ODD = "otel_agentops:variable:odd"  # and place: observations of a value that other places do not have
VARIABLE_UNEVEN = "otel_agentops:variable:uneven"  # and place, elsewhere: time since which it is odd
VARIABLE_SKEWED = "otel_agentops:variable:skewed"  # and place, elsewhere: the same after half an hour
VARIABLE_DECLARED = "otel_agentops:variable:declared"  # variable, value: changes that were declared within a day
VARIABLE_DRIFTED = "otel_agentops:variable:drifted"  # and previous: time of a model's undeclared move
VARIABLE_UNLISTED_INCREASE = "otel_agentops:variable:unlisted_increase"  # of no lock file, since the last evaluation
VARIABLE_UNLISTED = "otel_agentops:variable:unlisted"  # observations of what no lock file lists, in an hour

# -- evaluated sets of cases; labels service_name, eval_set_name

EVAL_SET_INCREASE = "otel_agentops:eval_set:increase"  # and environment, judge_name: scores since the last evaluation
EVAL_SET_RAN = "otel_agentops:eval_set:ran"  # and judge_name: time of the last score
EVAL_SET_USED = "otel_agentops:eval_set:used"  # service_name, variable, scope, value: time of its use in a set
EVAL_SET_MOVED = "otel_agentops:eval_set:moved"  # service_name: time of the latest move of what a set does not have
EVAL_SET_JUDGE_MOVED = "otel_agentops:eval_set:judge_moved"  # service_name, judge_name: time of its latest move
EVAL_SET_STALE = "otel_agentops:eval_set:stale"  # and reason: time of the move or of the last evaluation

# -- health of the pipeline

COLLECTOR_SCRAPED = "otel_agentops:collector:scraped"  # job, instance: 1 while Prometheus scrapes our counters there
RULES_EVALUATED = "otel_agentops:rules:evaluated"  # rule_group: time of the last evaluation
