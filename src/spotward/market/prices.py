"""Under which names AWS sells an operating system, and in what currency.

An instance says what it runs in its platform details ("Windows with SQL Server Web"). The Spot price history knows four
products, each with a second name from the time before every account had a VPC; the on-demand price list describes the
same thing by several attributes. This table joins the three. It follows AWS's page "AMI billing information fields".

Software that is charged by the hour whatever the machine costs (a support subscription brought along, Ubuntu Pro) is
left out on both sides: then what is compared is the price of the machine. Where Spot knows no product at all (SQL
Server, RHEL with high availability) there is no Spot price, and so no recommendation unless the operator trusts it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LINUX, RHEL, SUSE, WINDOWS = "Linux/UNIX", "Red Hat Enterprise Linux", "SUSE Linux", "Windows"
VPC = " (Amazon VPC)"
"""What follows a product's name in the Spot price history of an account that once had EC2-Classic."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """One thing that AWS sells by the hour, as each of its price sources calls it."""

    spot: str | None
    """Product description in the Spot price history; None where it knows none."""
    operating_system: str
    """In the on-demand price list, like the two below."""
    pre_installed: str = "NA"
    license_model: str = "No License required"

    @property
    def spot_descriptions(self) -> tuple[str, ...]:
        """All names that the Spot price history may use for it."""
        return (self.spot, self.spot + VPC) if self.spot else ()


_MACHINE_ALONE = Product(spot=LINUX, operating_system="Linux")


def _with_sql(operating_system: str, edition: str) -> Product:
    return Product(spot=None, operating_system=operating_system, pre_installed=f"SQL {edition}")


_SQL_EDITIONS = {"Enterprise": "Ent", "Standard": "Std", "Web": "Web"}

PRODUCTS: Mapping[str, Product] = {
    LINUX: _MACHINE_ALONE,
    "Ubuntu Pro": _MACHINE_ALONE,
    "Red Hat BYOL Linux": _MACHINE_ALONE,
    "Windows BYOL": _MACHINE_ALONE,
    RHEL: Product(spot=RHEL, operating_system="RHEL"),
    "Red Hat Enterprise Linux with HA": Product(spot=None, operating_system="Red Hat Enterprise Linux with HA"),
    SUSE: Product(spot=SUSE, operating_system="SUSE"),
    WINDOWS: Product(spot=WINDOWS, operating_system="Windows"),
    **{f"SQL Server {name}": _with_sql("Linux", short) for name, short in _SQL_EDITIONS.items()},
    **{f"Windows with SQL Server {name}": _with_sql("Windows", short) for name, short in _SQL_EDITIONS.items()},
    **{f"{RHEL} with SQL Server {name}": _with_sql("RHEL", short) for name, short in _SQL_EDITIONS.items()},
    **{
        f"{RHEL} with SQL Server {name} and HA": _with_sql("Red Hat Enterprise Linux with HA", short)
        for name, short in _SQL_EDITIONS.items()
        if name != "Web"
    },
}
"""Platform details → product."""


def product_of(platform_details: str) -> Product | None:
    """The product that an instance's platform details name; None for one that this table does not know."""
    return PRODUCTS.get(platform_details.removesuffix(VPC))


def on_demand_filters(
    product: Product, *, region: str, instance_type: str | None = None
) -> tuple[tuple[str, str], ...]:
    """Field and value of the filters that leave one product of the Pricing API's `AmazonEC2`, of one type or of all."""
    return (
        ("regionCode", region),
        *([("instanceType", instance_type)] if instance_type is not None else []),
        ("operatingSystem", product.operating_system),
        ("preInstalledSw", product.pre_installed),
        ("licenseModel", product.license_model),
        ("tenancy", "Shared"),
        ("capacitystatus", "Used"),
    )


def currency_of(region: str) -> str:
    """The currency of a region's price list: CNY in China, EUR in the European Sovereign Cloud, USD elsewhere."""
    return {"cn": "CNY", "eusc": "EUR"}.get(region.partition("-")[0], "USD")


@dataclass(frozen=True, kw_only=True, slots=True)
class SpotPrice:
    """What a pool costs, and since when."""

    usd_per_hour: float
    """In the region's own currency."""
    time: float | None = None
    """When the price began, as AWS says it: an old price is a stable one. None if it was not told."""
