/* What `huiyin-classifier --tool VERB ...` runs: train, eval, classify. `huiyin train` and `huiyin eval` exec it. */
#ifndef CLASSIFIER_TOOL_H
#define CLASSIFIER_TOOL_H

/* `argv` is main's own: PROGRAM --tool VERB ...; PROGRAM VERB ... is understood too. Returns the exit code (sysexits). */
int classifier_tool(int argc, char **argv);

#endif
