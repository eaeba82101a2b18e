// First hits of the rays with one shell. The shader is minimal because overdraw runs it for many hidden fragments.
//   LAYER 0: outer shell.  LAYER 1: inner shell, restricted to fragments behind layer 0.
//   SURFACE 0: hits for shading, 16 bits per channel: u, v, level of detail, 1.
//   SURFACE 1: for baking and inspection: u, v, distance from the eye, face index + 1; normal, level of detail.
//   UV_STEPS, LOWEST_LEVEL, LEVEL_STEPS: quantisation of hits, as in app/render/passes/gbuffer.py.
#define UNIT_LEVEL  // needs derivatives, which only fragment shaders have
#include "include/level_of_detail.glsl"
#if LAYER == 1
#include "gbuffer/depth_peeling.glsl"
#endif

in vec2 v_uv;

#if SURFACE == 1
uniform vec3 u_eye;
in vec3 v_position;
layout(location = 0) out vec4 o_surface;
layout(location = 1) out vec4 o_normal;
#else
layout(location = 0) out vec4 o_hit;
#endif

void main() {
    float level = unit_level(v_uv);
#if LAYER == 1
    if (is_peeled_away())
        discard;
#endif
#if SURFACE == 1
    o_surface = vec4(v_uv, distance(u_eye, v_position), float(gl_PrimitiveID + 1));
    vec3 normal = cross(dFdx(v_position), dFdy(v_position));
    o_normal = vec4(normal / max(length(normal), 1e-20), level);
#else
    o_hit = vec4(v_uv * (UV_STEPS / 65535.0), (level - LOWEST_LEVEL) * (LEVEL_STEPS / 65535.0), 1.0);
#endif
}
