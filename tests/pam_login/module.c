/* A module of PAM for the tests: its argument says what it does in its stack. */
#include <security/pam_appl.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int ask(pam_handle_t *pam) {
    const struct pam_conv *conversation;
    struct pam_message text = {PAM_TEXT_INFO, "Have your card at hand."};
    struct pam_message token = {PAM_PROMPT_ECHO_ON, "Token: "}, pin = {PAM_PROMPT_ECHO_OFF, "PIN: "};
    const struct pam_message *messages[] = {&text, &token, &pin};
    struct pam_response *answers = NULL;
    int right;
    if (pam_get_item(pam, PAM_CONV, (const void **)&conversation) != PAM_SUCCESS) return PAM_ABORT;
    if (conversation->conv(3, messages, &answers, conversation->appdata_ptr) != PAM_SUCCESS) return PAM_CONV_ERR;
    right = !answers[0].resp && !strcmp(answers[1].resp, "123") && !strcmp(answers[2].resp, "456");
    for (int i = 0; i < 3; i++) free(answers[i].resp);
    free(answers);
    return right ? PAM_SUCCESS : PAM_AUTH_ERR;
}

int pam_sm_authenticate(pam_handle_t *pam, int flags, int count, const char **arguments) {
    const char *what = count ? arguments[0] : "";
    (void)flags;
    if (!strcmp(what, "abort")) abort();
    if (!strcmp(what, "null")) *(volatile int *)0 = 1;
    if (!strcmp(what, "hang")) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        for (;;) pause();
    }
    if (!strcmp(what, "ask")) return ask(pam);
    if (!strcmp(what, "become")) return pam_set_item(pam, PAM_USER, arguments[1]);
    return PAM_ABORT;
}

int pam_sm_acct_mgmt(pam_handle_t *pam, int flags, int count, const char **arguments) {
    return pam_sm_authenticate(pam, flags, count, arguments);
}

int pam_sm_open_session(pam_handle_t *pam, int flags, int count, const char **arguments) {
    return pam_sm_authenticate(pam, flags, count, arguments);
}

int pam_sm_close_session(pam_handle_t *pam, int flags, int count, const char **arguments) {
    (void)pam, (void)flags, (void)count, (void)arguments;
    return PAM_SUCCESS;
}

int pam_sm_setcred(pam_handle_t *pam, int flags, int count, const char **arguments) {
    (void)pam, (void)flags, (void)count, (void)arguments;
    return PAM_SUCCESS;
}
