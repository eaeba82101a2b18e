// Vertices of one shell to clip space.
//   SURFACE, SCALED, VALUED: as in gbuffer.frag.glsl.
uniform mat4 u_world_to_clip;

in vec3 in_position;
in vec2 in_uv;

#if SURFACE == 1
out vec3 v_position;
#endif
out vec2 v_uv;
#if SCALED && SURFACE == 0
uniform vec4 u_reference;  // eye and spread of the reference view
out float v_distance;
#endif

#if VALUED
in float in_seen;
out float v_seen;
#endif

invariant gl_Position;

void main() {
#if SURFACE == 1
    v_position = in_position;
#endif
    v_uv = in_uv;
#if VALUED
    v_seen = in_seen;
#endif
#if SCALED && SURFACE == 0
    v_distance = length(vec4(in_position - u_reference.xyz, u_reference.w));
#endif
    gl_Position = u_world_to_clip * vec4(in_position, 1.0);
}
