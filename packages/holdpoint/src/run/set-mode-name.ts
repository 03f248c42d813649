/** The tool by which an agent enters plan mode, and asks to leave it. */
export const setModeName = "set_mode";
