import type { RunEvent } from "../spec/events.ts";

/** Fields of events that are open for ever, whoever looks. What is not named here may hold what somebody said. */
const facts: { readonly [Type in RunEvent["type"]]: readonly string[] } = {
	"run.started": ["v", "lib", "agent", "tools", "sandbox", "team", "mode"],
	"run.resumed": ["verdict", "lib", "agent", "tools"],
	"message.received": ["mode"],
	"run.handed": ["in", "from", "to", "beside", "call", "results", "only", "onlyIn", "leftOut", "team", "joined"],
	"agent.continued": ["in", "agent", "loop", "joined"],
	"agent.done": ["in", "agent", "as", "joined"],
	"agent.started": ["call", "agent", "team", "background", "mode"],
	"user.asked": ["agent", "replyTo", "beside", "joined"],
	"model.answered": ["in", "agent", "model", "finish", "usage", "ms", "unheard", "last", "estimate", "budget"],
	"model.unanswered": ["usage"],
	"output.rejected": ["in", "agent"],
	"context.provided": ["in", "agent"],
	"context.compacted": ["in", "agent", "how", "kept", "fresh", "tokens", "budget", "usage"],
	"todos.set": ["in", "agent"],
	"mode.changed": ["in", "mode"],
	"call.asked": ["call", "parent", "line"],
	"call.decided": ["call", "verdict", "policy", "approvedBy", "approvedAs", "ask", "grants"],
	"approval.requested": ["call", "roles", "count", "counts", "people", "expiresAt", "escalation", "carries", "row"],
	"grant.given": ["grant", "call", "by"],
	"approval.escalated": ["call", "roles"],
	"approval.resolved": ["call", "answer", "by", "at", "open", "rows", "inOrder"],
	"approval.refused": ["by"],
	"approval.closed": ["call", "why"],
	"call.started": ["call", "attempt", "row"],
	"call.finished": ["call", "ms", "handsTo"],
	"call.settled": ["call", "by"],
	"program.started": ["call", "provider", "guest", "tools", "limits"],
	"program.delivered": ["call", "answers"],
	"program.suspended": ["call", "delivered", "asked"],
	"program.restored": ["call", "from"],
	"rehearsal.requested": ["call", "by"],
	"program.rehearsed": ["call", "asked", "reads", "end"],
	"timer.set": ["in", "agent", "timer", "dueAt"],
	"timer.fired": ["timer"],
	"cancel.requested": [],
	"signal.ignored": [],
	"run.finished": ["status"],
};

/** Whether the field is open for ever. */
export function isFact(type: RunEvent["type"], name: string): boolean {
	return facts[type].includes(name);
}
