/*
 * screen.c - see screen.h.
 *
 * Signals come in only while the program waits, so that a picture is drawn whole, and what they ask for is done between two
 * pictures.
 */
#include "cli/screen.h"

#include "cli/cli.h"
#include "cli/cut.h"
#include "cli/keys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

/* Seconds in which a key comes that has begun to, so that an escape which nothing follows is the key of that name. */
#define KEY_PAUSE 0.05

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};

static struct termios before;
static sigset_t outside; /* the signals that were blocked before */
static cli_keys keys;
static volatile sig_atomic_t ended, stopped, resized;

static void on_signal(int number)
{
    if (number == SIGWINCH)
        resized = 1;
    else if (number == SIGTSTP)
        stopped = 1;
    else
        ended = number;
}

static void put(const char *text, size_t n)
{
    while (n > 0) {
        const ssize_t written = write(STDOUT_FILENO, text, n);
        if (written < 0 && errno != EINTR) return; /* a terminal that is gone tells so when it is waited for */
        if (written > 0) text += written, n -= (size_t)written;
    }
}

static void catch (int number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(number, &action, NULL);
}

/* Keys come one by one and unseen; signals still come from keys. */
static void enter(void)
{
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    put(ENTER, sizeof ENTER - 1);
}

/* Async-signal-safe. */
static void leave(void)
{
    put(LEAVE, sizeof LEAVE - 1);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

bool cli_screen_open(void)
{
    sigset_t blocked;
    if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) return false;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaddset(&blocked, signals[i]);
        catch (signals[i], on_signal);
    }
    sigprocmask(SIG_BLOCK, &blocked, &outside);
    cli_cut_first(leave);
    enter();
    return true;
}

void cli_screen_close(void)
{
    leave();
    cli_cut_first(NULL);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) catch (signals[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &outside, NULL);
}

void cli_screen_size(uint32_t *rows, uint32_t *columns)
{
    struct winsize size;
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col;
    *rows = known ? size.ws_row : 24;
    *columns = known ? size.ws_col : 80;
}

/* In one write, over what was there, so that nothing flickers. The first line is in reverse. */
void cli_screen_draw(const cli_lines *lines)
{
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    if (!out) exit(cli_fail("There is no memory for a picture."));
    fputs("\033[H", out);
    for (uint32_t i = 0; i < lines->n; i++) {
        fprintf(out, i ? "%s" : "\033[7m%s\033[0m", lines->line[i]);
        fputs(i + 1 < lines->n ? "\033[K\r\n" : "\033[K", out);
    }
    fputs("\033[J", out);
    fclose(out);
    put(text, n);
    free(text);
}

/* As if the default had stopped it: the shell gets its terminal back, and so do we when it goes on. */
static void stop(void)
{
    sigset_t tstp;
    leave();
    sigemptyset(&tstp);
    sigaddset(&tstp, SIGTSTP);
    catch (SIGTSTP, SIG_DFL);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &tstp, NULL); /* it stands here */
    sigprocmask(SIG_BLOCK, &tstp, NULL);
    catch (SIGTSTP, on_signal);
    stopped = 0;
    tcgetattr(STDIN_FILENO, &before);
    enter();
}

static int read_keys(void)
{
    const ssize_t n = read(STDIN_FILENO, keys.bytes + keys.n, sizeof keys.bytes - keys.n);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) return CLI_SCREEN_ENDED;
    if (n > 0) keys.n += (size_t)n;
    return cli_keys_take(&keys, false);
}

int cli_screen_wait(double seconds)
{
    const int key = cli_keys_take(&keys, false);
    if (key) return key;
    const bool part = keys.n > 0;
    if (seconds < 0) seconds = 0;
    if (part) seconds = KEY_PAUSE;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    const struct timespec timeout = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    const int ready = ppoll(&input, 1, &timeout, &outside);
    if (ended) return CLI_SCREEN_ENDED;
    if (stopped) {
        stop();
        return CLI_SCREEN_RESIZED;
    }
    if (resized) {
        resized = 0;
        return CLI_SCREEN_RESIZED;
    }
    if (ready > 0) return read_keys();
    if (ready == 0) return part ? cli_keys_take(&keys, true) : CLI_SCREEN_TIME;
    return 0;
}

int cli_screen_signal(void)
{
    return ended;
}
