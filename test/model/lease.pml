/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lease (src/guard/lease.h) among everything that can go wrong around it: two requesters that may
 * be slow, silent or dead at any moment, keep-alives and answers that never arrive, somebody who thaws
 * our file system, an agent that is lost, a guard that dies and comes back with nothing but its journal.
 *
 * Each request is one atomic step at the guard; that it was under way for long is a requester that was
 * slow to send it, that it was lost is one that did nothing.
 *
 *	spin -search -f -ltl NAME lease.pml	for each property at the end
 *
 * With -DWITHOUT_EXPIRY, -DTRUST_THAW or -DFORGET_FREEZE a rule is left out, and a
 * property must fail (tools/check/model sees to it that it does).
 */
#define TTL 2
#define CAP 1
#define END 5 /* nothing new begins from here on */
#define EPOCHS 2

mtype = { PREPARING, FROZEN, HELD, ENDED };

/* What the guard knows; all of it is journaled. */
mtype state = ENDED;
byte epoch, deadline, cap;
bool proven;

/* The world. */
byte now;
bool frozen, snapshot;
bool guard = true, died;

/* What really was one unbroken stretch from freeze to now: the epoch, or 0. Nobody can see this. */
byte unbroken;

/* A requester was told that its backup is application-consistent, and it was not. */
bool lied;

#define live(e) (guard && state != ENDED && epoch == (e))

inline end_lease() {
	if
	:: state == FROZEN -> frozen = false
	:: else
	fi;
	snapshot = false;
	proven = false;
	unbroken = 0;
	state = ENDED
}

proctype Requester() {
	byte mine;

	do
	:: atomic { mine == 0 && now < END ->
		if
		:: guard && state == ENDED && epoch < EPOCHS ->
			epoch++;
			mine = epoch;
			state = PREPARING;
			deadline = now + TTL
		:: else /* busy, or nobody there: perhaps later */
		fi }
	:: atomic { mine != 0 && live(mine) && now < END ->
		deadline = now + TTL }
	:: atomic { mine != 0 && live(mine) && state == PREPARING ->
		state = FROZEN; /* armed first */
		cap = now + CAP;
		frozen = true;
		unbroken = mine }
	:: atomic { mine != 0 && live(mine) && state == FROZEN ->
		snapshot = true;
#ifdef TRUST_THAW
		proven = true;
#else
		proven = frozen; /* a thaw of what is not frozen fails with EINVAL */
#endif
		frozen = false;
		state = HELD }
	:: atomic { mine != 0 && live(mine) && state == HELD ->
		assert(snapshot);
		lied = lied || (proven && unbroken != mine);
		state = ENDED;
		snapshot = false;
		proven = false;
		unbroken = 0;
		mine = 0 }
	:: atomic { mine != 0 && live(mine) -> end_lease(); mine = 0 } /* abort */
	:: atomic { mine != 0 && guard && !live(mine) -> mine = 0 } /* 0x800401fd */
	:: break /* dies */
	od
}

proctype Guard() {
	do
#ifndef WITHOUT_EXPIRY
	:: atomic { guard && state != ENDED && now >= deadline -> end_lease() }
	:: atomic { guard && state == FROZEN && now >= cap -> end_lease() }
#endif
	:: atomic { guard && state != ENDED && !died -> guard = false; died = true }
	:: atomic { !guard ->
		guard = true;
		if
#ifdef FORGET_FREEZE
		:: state == FROZEN -> state = ENDED
#endif
		:: state == FROZEN || state == PREPARING -> end_lease()
		:: else /* held: its deadline stays what it was */
		fi }
	:: now >= END && state == ENDED && guard -> break
	od
}

/* The agent is lost, or an administrator releases, or the space runs out: any time, or never. */
proctype Trouble() {
	if
	:: atomic { guard && state != ENDED -> end_lease() }
	:: true
	fi
}

proctype Stranger() {
	if
	:: atomic { frozen -> frozen = false; unbroken = 0 }
	:: true
	fi
}

/* Time waits for a guard that is there to do what is due, and for one that is being restarted. */
proctype Clock() {
	do
	:: atomic { guard && (now < END || state != ENDED) &&
		    (state == ENDED || now < deadline) && (state != FROZEN || now < cap) ->
		now++ }
	:: now >= END && state == ENDED && guard -> break
	od
}

init {
	atomic {
		run Guard(); run Clock(); run Stranger(); run Trouble();
		run Requester(); run Requester()
	}
}

ltl thaws { [] (frozen -> <> !frozen) }
ltl releases { [] (snapshot -> <> !snapshot) }
ltl honest { [] !lied }
ltl settled { <> [] (!frozen && !snapshot) }
