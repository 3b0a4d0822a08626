// drover: the operator's program.

#include "coordinator/cli/cli.h"

int
main(int argc, char **argv)
{
    return dr_cli_main(argc, argv);
}
