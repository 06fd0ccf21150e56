"""`docker_container_list` on FastMCP and the Docker SDK for Python, as such servers write it. ADDR PORT"""

import sys

import docker
import uvicorn
from fastmcp import FastMCP

mcp = FastMCP("docker")
engine = docker.from_env()


@mcp.tool(annotations={"readOnlyHint": True})
def docker_container_list() -> list[dict]:
    """Lists all containers with their status."""
    return [
        {
            "id": container.id,
            "name": container.name,
            "status": container.status,
            "image": container.image.tags[0] if container.image.tags else container.image.id,
            "ports": container.ports,
        }
        for container in engine.containers.list(all=True)
    ]


if __name__ == "__main__":
    app = mcp.http_app(path="/mcp", stateless_http=True, json_response=True)
    uvicorn.run(app, host=sys.argv[1], port=int(sys.argv[2]), access_log=False, log_level="warning")
