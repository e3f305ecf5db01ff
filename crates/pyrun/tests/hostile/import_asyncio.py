# expect: forbidden
import asyncio
def make_walker():
    asyncio.run(1)
