"""The helper of the script: credentials.py CONNECTION FILE writes a Glue Connection's login to FILE
as lines for a shell to source.
"""

import shlex
import sys
from urllib.parse import urlsplit

import boto3


def main() -> None:
    name, path = sys.argv[1:]
    properties = boto3.client("glue").get_connection(Name=name)["Connection"][
        "ConnectionProperties"
    ]
    url = urlsplit(properties["JDBC_CONNECTION_URL"].removeprefix("jdbc:"))
    login = {
        "HOST": url.hostname,
        "PORT": url.port or 5439,
        "DB": url.path.lstrip("/"),
        "USER": properties["USERNAME"],
        "PASSWORD": properties["PASSWORD"],
    }
    with open(path, "w", encoding="utf-8") as file:
        for key, value in login.items():
            file.write(f"export DBT_REDSHIFT_{key}={shlex.quote(str(value))}\n")


if __name__ == "__main__":
    main()
