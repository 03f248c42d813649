/** What the second act claims, held against the run's verified journal, the system's processes and the shop's database. */
import {
	type Check,
	callsOf,
	type DemoFacts,
	finished,
	moneyOnce,
	nothingRan,
	separateProcesses,
	times,
} from "./proof.ts";

export interface TeamFacts extends DemoFacts {
	/** What the shop's database says was sent again. */
	readonly replacements: readonly string[];
	readonly isAutonomous: boolean;
}

export function proveTeam(facts: TeamFacts): Check[] {
	const calls = callsOf(facts);
	return [
		separateProcesses(facts),
		nothingRan(facts),
		handedOn(facts),
		asked(facts),
		askedByOne(facts),
		lookedUpOnce(facts),
		moneyOnce(facts, calls),
		sentOnce(facts),
		finished(facts),
	];
}

function handedOn({ events }: TeamFacts): Check {
	const ways = events.flatMap(({ event }) => (event.type === "run.handed" ? [`${event.from} → ${event.to}`] : []));
	const ok = ways.join() === "coordinator → refund,refund → shipping,shipping → coordinator";
	return { name: "handed-on", ok, says: `one journal has every handoff: ${ways.join(", ")}` };
}

/** By itself an agent goes on without the user; otherwise it asks once, and the reply reaches whoever asked. */
function asked({ events, isAutonomous }: TeamFacts): Check {
	const questions = events.flatMap(({ event }) => (event.type === "user.asked" ? [event.agent] : []));
	const replies = events.filter(({ event }) => event.type === "message.received").length;
	const alone = events.flatMap(({ event }) => (event.type === "agent.continued" ? [event.agent] : []));
	if (isAutonomous) {
		const ok = questions.length === 0 && alone.join() === "shipping";
		return { name: "went-on-alone", ok, says: `nobody was asked; ${alone.join(", ")} went on by itself` };
	}
	const ok = questions.join() === "shipping" && replies === 1 && alone.length === 0;
	return {
		name: "asked-the-customer",
		ok,
		says: `${questions.join(", ")} asked the customer, and read the reply in another process`,
	};
}

function askedByOne({ events }: TeamFacts): Check {
	const calls = events.flatMap(({ event }) => (event.type === "approval.requested" ? [event.call] : []));
	const answers = events.filter(({ event }) => event.type === "approval.resolved").length;
	return {
		name: "one-approval",
		ok: calls.length === 1 && answers === 1,
		says: `${calls.length === 1 ? "one call was" : `${calls.length} calls were`} held, and decided ${times(answers)}`,
	};
}

/** Whoever takes over is told what the others found out. */
function lookedUpOnce({ shop }: TeamFacts): Check {
	const reads = shop.accesses.filter(({ tool }) => tool === "find_customer" || tool === "get_order");
	const ok = new Set(reads.map(({ tool }) => tool)).size === reads.length;
	return { name: "looked-up-once", ok, says: `three agents used ${reads.length} look-ups, each of them made once` };
}

function sentOnce({ replacements }: TeamFacts): Check {
	return {
		name: "sent-once",
		ok: replacements.length === 1,
		says: `${replacements.join("; ") || "nothing"} was sent again ${times(replacements.length)}`,
	};
}
