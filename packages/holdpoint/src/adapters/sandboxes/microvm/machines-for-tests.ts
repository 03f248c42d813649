/** Whether this machine can run a micro-VM: why not, where it cannot. For tests, which say so and skip. */
import { microvmSandbox } from "./provider.ts";

export async function whyNoMicrovm(): Promise<string | undefined> {
	const sandbox = microvmSandbox();
	try {
		const found = await sandbox.probe();
		return found.ok ? undefined : found.reason;
	} finally {
		await sandbox.close();
	}
}
