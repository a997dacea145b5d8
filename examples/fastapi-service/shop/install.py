"""Makes the shop's tables and its tenant, once: `python -m shop.install OWNER_EMAIL`."""

import asyncio
import os
import sys

from .service import founded
from .tables import install


async def main(owner_email: str) -> None:
    await install(os.environ["DATABASE_ADMIN_URL"])
    keys = os.environ.get("CRM_KEYS", "crm.keys.toml")
    invitation = await founded(os.environ["DATABASE_URL"], keys, owner_email)
    if invitation is not None:
        print(invitation)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1]))
