"""scripts/bootstrap, from an empty account to what GitHub's workflows need."""

import json
import unittest

import lab


class Bootstrap(unittest.TestCase):
    lab: lab.Lab

    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab()
        cls.addClassCleanup(cls.lab.stop)

    def checkout(self, region="eu-west-1"):
        name = self.id().rsplit(".", 1)[1].removeprefix("test_").replace("_", "-")[:30].strip("-")
        checkout = lab.Checkout(self.lab, name, project=name)
        checkout.run("aws", "s3", "rb", f"s3://{name}-state", check=True)
        backend = checkout.path / "deploy/environment/dev.s3.tfbackend"
        text = backend.read_text().replace('region = "eu-west-1"', f'region = "{region}"')
        backend.write_text(text)
        # What GitHub answers, and what the clone says of its origin.
        edge = self.lab.directory / f"{name}-edge"
        edge.mkdir()
        (edge / "gh").write_text(
            '#!/bin/sh\n[ "$*" = "api repos/acme/dbt.shop" ] || exit 1\n'
            'echo \'{"id": 22, "owner": {"id": 11}}\'\n'
        )
        (edge / "curl").write_text("#!/bin/sh\nexit 22\n")
        for program in edge.iterdir():
            program.chmod(0o755)
        checkout.environment["PATH"] = f"{edge}:{checkout.environment['PATH']}"
        checkout.git("remote", "add", "origin", "git@github.com:acme/dbt.shop.git")
        return checkout

    def bootstrap(self, checkout, *arguments, code=0, **options):
        script = checkout.path / "scripts/bootstrap"
        result = checkout.run(script, "dev", *arguments, **options)
        self.assertEqual(result.returncode, code, result.stdout)
        return result.stdout

    def roles(self, checkout):
        key = f"dbt/{checkout.name}/dev.bootstrap.tfstate"
        text = checkout.run("aws", "s3", "cp", f"s3://{checkout.name}-state/{key}", "-").stdout
        return {
            each["instances"][i]["attributes"]["name"]: each["instances"][i]["attributes"]
            for each in json.loads(text)["resources"]
            if each["type"] in ("aws_iam_role", "aws_iam_policy")
            for i in range(len(each["instances"]))
        }

    def test_everything_from_nothing_and_again(self):
        checkout = self.checkout()
        name = checkout.name
        said = self.bootstrap(checkout, "--yes", "--allow", "s3:PutObject")
        self.assertIn(f"made the bucket {name}-state", said)
        self.assertIn("permissions_boundary = ", said)
        self.assertIn("repos/acme/dbt.shop/environments/dev-approval", said)
        self.assertIn("gh variable set AWS_ROLE_ARN --repo acme/dbt.shop --env dev-plan", said)
        found = self.roles(checkout)
        self.assertEqual(
            set(found),
            {f"github-dbt-{name}-dev", f"github-dbt-{name}-dev-plan", f"dbt-boundary-{name}-dev"},
        )
        for role, environment in (("", "dev"), ("-plan", "dev-plan")):
            (trust,) = json.loads(found[f"github-dbt-{name}-dev{role}"]["assume_role_policy"])[
                "Statement"
            ]
            # A repository of either age.
            self.assertEqual(
                trust["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"],
                [
                    f"repo:acme/dbt.shop:environment:{environment}",
                    f"repo:acme@11/dbt.shop@22:environment:{environment}",
                ],
            )
        boundary = json.loads(found[f"dbt-boundary-{name}-dev"]["policy"])["Statement"]
        self.assertIn({"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "*"}, boundary)
        providers = checkout.run(
            *("aws", "--region", "eu-west-1", "iam", "list-open-id-connect-providers")
        ).stdout
        self.assertEqual(providers.count("oidc-provider/token.actions.githubusercontent.com"), 1)
        for question in ("get-bucket-versioning", "get-public-access-block"):
            settings = checkout.run(
                *("aws", "--region", "eu-west-1", "s3api", question),
                *("--bucket", f"{name}-state"),
            ).stdout
            self.assertTrue("Enabled" in settings or settings.count("true") == 4, settings)

        self.assertIn("""gh variable set DEPLOY_TO --repo acme/dbt.shop --body '["dev"]'""", said)

        # What the boundary allows stays, until somebody says otherwise.
        again = self.bootstrap(checkout, "--yes")
        self.assertIn("No changes", again)
        self.assertIn(f"the bucket {name}-state is there", again)
        self.assertIn("identity provider is there", again)
        self.bootstrap(checkout, "--yes", "--allow", "none")
        policy = self.roles(checkout)[f"dbt-boundary-{name}-dev"]["policy"]
        self.assertEqual(len(json.loads(policy)["Statement"]), len(boundary) - 1)
        # What scripts/deploy needs of it is there: a place for its state.
        self.assertEqual(checkout.deploy("--plan-only").returncode, 0)

        self.assertIn("to destroy", self.bootstrap(checkout, "--yes", "--destroy"))
        self.assertEqual(self.roles(checkout), {})
        self.assertIn("is there", self.bootstrap(checkout, "--no-github"))

    def test_the_one_region_that_must_not_be_named(self):
        checkout = self.checkout(region="us-east-1")
        self.bootstrap(checkout, "--no-github", "--yes")
        where = checkout.run(
            *("aws", "s3api", "get-bucket-location", "--bucket", f"{checkout.name}-state")
        ).stdout
        self.assertIn("null", where)

    def test_a_root_is_named_from_where_one_stands(self):
        """With numbers that somebody has looked up."""
        checkout = self.checkout()
        there = checkout.path / "deploy/environment"
        arguments = ("--yes", "--root", ".", "--github", "acme/private", "--ids", "33/44")
        self.bootstrap(checkout, *arguments, cwd=there)
        self.assertIn("acme@33/private@44", json.dumps(self.roles(checkout)))
        self.bootstrap(checkout, *arguments, "--destroy", cwd=there)
        self.assertEqual(self.roles(checkout), {})

    def test_what_is_missing_is_named(self):
        checkout = self.checkout()
        for arguments, message, code in (
            ((), "nobody can be asked here", 1),
            (("--yes", "--github", "acme"), "is not OWNER/NAME", 2),
            (("--yes", "--github", "acme/private"), "is gh logged in", 1),
            (("--yes", "--github"), "--github needs a value", 2),
            (("--yes", "--root", "nowhere"), "nowhere/dev.tfvars is missing: copy that of", 1),
            (("--destroy", "--no-github"), "exclude each other", 2),
        ):
            with self.subTest(message):
                self.assertIn(message, self.bootstrap(checkout, *arguments, code=code))
        # Who cannot be told from whom makes nothing.
        buckets = checkout.run("aws", "s3", "ls").stdout
        self.assertNotIn(f"{checkout.name}-state", buckets)
        checkout.configure(project=checkout.name, account_id="210987654321")
        self.assertIn("and dev is in 210987654321", self.bootstrap(checkout, code=1))


if __name__ == "__main__":
    unittest.main()
