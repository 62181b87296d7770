/*
 * cut.h - a zone's file that is cut off while it is mapped: the command ends with a sentence and exit code 1, and not by SIGBUS.
 */
#ifndef LLIM_CLI_CUT_H
#define LLIM_CLI_CUT_H

/* From now on, for the file of that name, which is borrowed. To be called before the file is opened. */
void cli_cut_catch(const char *path);

/* What is to be done before the sentence is told, in a signal handler; NULL: nothing. */
void cli_cut_first(void (*first)(void));

#endif
