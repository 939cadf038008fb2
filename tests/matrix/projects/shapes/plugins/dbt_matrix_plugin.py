"""A plugin of dbt's: it brings a model of another project, and says so."""

from dbt.plugins import dbt_hook, dbtPlugin
from dbt.plugins.manifest import ModelNodeArgs, PluginNodes


class MatrixPlugin(dbtPlugin):
    def initialize(self):
        print("the plugin is there")

    @dbt_hook
    def get_nodes(self):
        print("the plugin was asked")
        nodes = PluginNodes()
        nodes.add_model(
            ModelNodeArgs(
                name="of_another_project",
                package_name="another",
                identifier="numbers",
                schema="analytics",
                database="matrix",
            )
        )
        return nodes


plugins = [MatrixPlugin]
