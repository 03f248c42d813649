/** Suspends a program after so many calls, and prints its snapshot: a process that is gone when another one goes on. */
import { sandbox, waiting } from "../guests.ts";

const [calls, microvm] = process.argv.slice(2).map(Number) as [number, number];
const guest = await waiting({ calls, microvm });
console.log(Buffer.from(await guest.snapshot()).toString("base64"));
guest.dispose();
await sandbox({ microvm }).close();
