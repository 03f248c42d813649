/** The tool by which a model runs a program. */
export const executeCodeName = "execute_code";
