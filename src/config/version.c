/*
 * The versions of the libraries that this process runs with.
 */
#include "config/config.h"

#include <cyaml/cyaml.h>
#include <yaml.h>

const char *config_cyaml_version(void)
{
    return cyaml_version_str;
}

const char *config_yaml_version(void)
{
    return yaml_get_version_string();
}
