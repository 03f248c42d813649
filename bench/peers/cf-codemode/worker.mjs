import { CodemodeConnector, createCodemodeRuntime, DynamicWorkerExecutor } from "@cloudflare/codemode";
import { DurableObject } from "cloudflare:workers";

export { CodemodeRuntime } from "@cloudflare/codemode";

class Items extends CodemodeConnector {
	name() {
		return "items";
	}

	tools() {
		return {
			lookup: { description: "x", execute: ({ id }) => ({ id, price: id * 3 }) },
			pay: { description: "x", requiresApproval: true, execute: ({ id }) => ({ id, price: id * 3 }) },
		};
	}
}

export class Host extends DurableObject {
	#runtime() {
		this.connector ??= new Items(this.ctx, this.env);
		const executor = new DynamicWorkerExecutor({ loader: this.env.LOADER });
		return createCodemodeRuntime({ ctx: this.ctx, executor, connectors: [this.connector], maxExecutions: 100_000 });
	}

	run(code) {
		return this.#runtime().execute({ code });
	}

	approve(executionId) {
		return this.#runtime().approve({ executionId });
	}
}

export default {
	async fetch(request, env) {
		const { pathname } = new URL(request.url);
		const body = await request.json();
		const host = env.Host.get(env.Host.idFromName("h"));
		try {
			return Response.json(await (pathname === "/run" ? host.run(body.code) : host.approve(body.id)));
		} catch (error) {
			return Response.json({ thrown: String(error?.stack ?? error) });
		}
	},
};
