// The picture, stretched over the window.
uniform sampler2D u_picture;
uniform vec2 u_size;

out vec4 o_color;

void main() {
    o_color = vec4(texture(u_picture, gl_FragCoord.xy / u_size).rgb, 1.0);
}
