export { cli } from "./cli.ts";
export { durable } from "./durable.ts";
export { growth } from "./growth.ts";
export { imports } from "./import.ts";
export { overhead } from "./overhead.ts";
export { program } from "./program.ts";
export { resume } from "./resume.ts";
export { suspended } from "./suspended.ts";
