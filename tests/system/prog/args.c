/* Prints its arguments and environment, one per line, and exits with the number of arguments. */
#include <stdio.h>

int main(int argc, char **argv, char **envp) {
    for (int i = 0; i < argc; i++)
        printf("argument %d <%s>\n", i, argv[i]);
    for (int i = 0; envp[i]; i++)
        printf("environment <%s>\n", envp[i]);
    return argc;
}
